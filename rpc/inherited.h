#ifndef PRBAL_RPC_INHERITED_H
#define PRBAL_RPC_INHERITED_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>

/* Sockets that listen and outlive the process: systemd or an older server made
 * them, and a newer one may get them.  While nobody accepts, clients wait in
 * the kernel's queue, so that no connection is refused in between.
 *
 *   inherited_add() ... address_listen() -> inherited_take_...() -> listening
 *                       inherited_close_rest()
 *   inherited_listening() -> another process
 *
 * Any thread. */

/* Takes over `fd`.  False, and it is closed, when it is no socket that listens
 * for streams. */
bool inherited_add(int fd);

/* Those that systemd has passed (sd_listen_fds(3)), once; how many. */
int inherited_add_from_systemd(void);

/* For address_listen(): one that listens there; -1 when none does.  One on all
 * addresses of a port is good for each of them. */
int inherited_take_tcp(const struct addrinfo *at);
int inherited_take_unix(const char *path);

/* Closes what nobody has asked for; how many there were. */
int inherited_close_rest(void);

/* Every socket that address_listen() has given out is noted until
 * inherited_close() closes it. */
void inherited_note(int fd);
void inherited_close(int fd);

/* Writes up to `room` of them; returns how many there are. */
size_t inherited_listening(int *fds, size_t room);

/* Another process listens on them now: their files are not ours to remove. */
void inherited_hand_over(void);
bool inherited_are_handed_over(void);

#endif
