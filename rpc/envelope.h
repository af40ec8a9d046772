#ifndef PRBAL_RPC_ENVELOPE_H
#define PRBAL_RPC_ENVELOPE_H

#include <stddef.h>
#include <stdint.h>

/* What a message travels in, both ways, with gRPC, gRPC-Web and the streams of
 * Connect: { flag(1) size(4) bytes... }, the size in network byte order. */

enum {
    ENVELOPE_PREFIX_BYTES = 5,
    ENVELOPE_COMPRESSED = 1, /* a flag; other bits are the protocols' own */
    /* A message's buffer starts at this and doubles as bytes arrive: a length
     * prefix alone takes no memory. */
    ENVELOPE_ROOM_FIRST_BYTES = 4096,
};

static inline void envelope_write_prefix(uint8_t *prefix, uint8_t flag,
                                         size_t size)
{
    prefix[0] = flag;
    prefix[1] = (uint8_t)(size >> 24);
    prefix[2] = (uint8_t)(size >> 16);
    prefix[3] = (uint8_t)(size >> 8);
    prefix[4] = (uint8_t)size;
}

static inline uint32_t envelope_size(const uint8_t *prefix)
{
    return (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16 |
           (uint32_t)prefix[3] << 8 | prefix[4];
}

/* How large a buffer of `room` bytes has to become for `needed` of a message of
 * `size`. */
static inline uint32_t envelope_grown_room(uint32_t room, uint32_t needed,
                                           uint32_t size)
{
    if (needed <= room)
        return room;
    room = room == 0 ? ENVELOPE_ROOM_FIRST_BYTES : room * 2;
    if (room < needed)
        room = needed;
    return room > size ? size : room;
}

#endif
