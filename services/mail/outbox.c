/* Mail as files: for development, for tests, and for a host's own mailer that
 * picks them up. */
#include "rpc/clock.h"
#include "services/app.h"
#include "services/mail/mail.h"
#include "services/uuid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct writing {
    const char *folder;
    const char *temporary;
    const char *path;
    const char *text;
    bool worked;
};

static bool write_all(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    size_t size = strlen(text);
    bool worked = write(fd, text, size) == (ssize_t)size && fsync(fd) == 0;
    return close(fd) == 0 && worked;
}

static void run(void *argument)
{
    struct writing *w = argument;
    if (mkdir(w->folder, 0700) != 0 && errno != EEXIST)
        return;
    w->worked = write_all(w->temporary, w->text) &&
                (link(w->temporary, w->path) == 0 || errno == EEXIST);
    unlink(w->temporary);
}

static rpc_status outbox_send(struct rpc_call *call, const char *id,
                              const struct mail *mail)
{
    int64_t now_us = clock_wall_us();
    const char *folder =
        arena_printf(call->arena, "%s/outbox", app_data_folder());
    struct writing writing = {
        .folder = folder,
        .temporary = arena_printf(call->arena, "%s/.%s", folder,
                                  uuid_create(call->arena)),
        .path = arena_printf(call->arena, "%s/%s.eml", folder, id),
        .text =
            mail_format(call->arena, app_config()->mail_from, mail, id, now_us),
    };
    TRY(rpc_offload(call, run, &writing));
    if (!writing.worked)
        return rpc_fail(call, RPC_UNAVAILABLE, "%s could not be written",
                        writing.path);
    return RPC_SUCCESS;
}

const struct mail_adapter mail_outbox = {"outbox", outbox_send};
