#include "services/chat/matrix.h"

#include <stddef.h>

enum { SEEKER = 1 << 0, PROVIDER = 1 << 1, LEARNER = 1 << 2, ADMIN = 1 << 3 };
enum { EVERYBODY = SEEKER | PROVIDER | LEARNER | ADMIN };

/* What somebody is, and whom they may write to: anyone who is one of these. */
static const struct {
    unsigned is;
    unsigned writes_to;
} roles[] = {
    [USER_TYPE_SEEKER] = {SEEKER, PROVIDER},
    [USER_TYPE_PROVIDER] = {PROVIDER, EVERYBODY},
    [USER_TYPE_BOTH] = {SEEKER | PROVIDER, EVERYBODY},
    [USER_TYPE_LEARNER] = {LEARNER, PROVIDER | LEARNER},
    [USER_TYPE_ADMIN] = {ADMIN, EVERYBODY},
};

bool chat_may_write(UserType from, UserType to)
{
    const size_t count = sizeof roles / sizeof roles[0];
    return (size_t)from < count && (size_t)to < count &&
           (roles[from].writes_to & roles[to].is) != 0;
}
