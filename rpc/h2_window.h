#ifndef PRBAL_RPC_H2_WINDOW_H
#define PRBAL_RPC_H2_WINDOW_H

#include "rpc/conn.h"

/* How much a client may send ahead (RFC 9113 6.9).
 *
 * A stream moves at most a window in a round trip: 64 KiB, with which HTTP/2
 * begins, are 1.3 MB a second over 50 ms.  When a stream uses a good part of
 * its window, a PING measures how much it sends in a round trip; a third of the
 * window doubles it, for all streams of the connection, up to 4 MiB.  The
 * connection's own window is four times as much, and from 1 to 16 MiB.
 *
 * While the loop has less than half of its memory left no window grows, and
 * grown ones go back to 64 KiB: what clients sent ahead lies in our memory. */

enum {
    H2_WINDOW_BYTES_FIRST = 65535,
    H2_WINDOW_BYTES_MAX = 4 * 1024 * 1024,
    H2_WINDOW_PING_BYTES = 8,
};

extern const uint8_t h2_window_ping[H2_WINDOW_PING_BYTES];

/* Of a new session. */
void h2_window_open(struct conn *conn);

/* DATA has come on a stream, and was given to nghttp2's windows. */
void h2_window_received(struct conn *conn, int32_t stream, size_t bytes);

/* Our PING came back; our SETTINGS were acknowledged. */
void h2_window_pinged(struct conn *conn);
void h2_window_settled(struct conn *conn);

/* Gives memory back when there is little. */
void h2_window_sweep(struct conn *conn);

#endif
