#ifndef PRBAL_TESTS_ROOMS_H
#define PRBAL_TESTS_ROOMS_H

#include "prbal/v1/chat.rpc.h"
#include "tests/testkit/testkit.h"

/* Chat requests.  Those that answer a reply may be refused; the others end the
 * test when they are.  All lives in the fixture's arena. */

struct rpc_reply open_reply(fixture *t, const struct person *who,
                            const struct person *target);
const char *open_room(fixture *t, const struct person *who,
                      const struct person *target);
struct rpc_reply send_reply(fixture *t, const struct person *who,
                            const char *room_id, const char *content,
                            const char *client_id);
const ChatMessage *say(fixture *t, const struct person *who,
                       const char *room_id, const char *content);
const MarkRoomReadResponse *mark(fixture *t, const struct person *who,
                                 const char *room_id, const char *up_to);
const ListRoomsResponse *rooms(fixture *t, const struct person *who);
const ChatServiceGetUnreadCountResponse *unread(fixture *t,
                                                const struct person *who);

#endif
