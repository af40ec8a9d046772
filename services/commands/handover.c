#include "services/commands/handover.h"

#include "rpc/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 5000,
    LISTENING_MAX = 16,
    DATABASE_FDS = 2, /* lock, pipe */
    FDS_MAX = LISTENING_MAX + DATABASE_FDS,
};

static const char hello[] = "prbald 1";
static const char ready[] = "ready";

/* What goes with the descriptors: the database's two come first. */
struct letter {
    char version[sizeof hello];
    int32_t has_database;
    int32_t postmaster;
    int32_t fd_count;
};

struct handover_offer {
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    int listener;
    int link; /* to whoever has taken everything; -1 = nobody */
};

static bool socket_at(const char *folder, struct sockaddr_un *at)
{
    *at = (struct sockaddr_un){.sun_family = AF_UNIX};
    int size =
        snprintf(at->sun_path, sizeof at->sun_path, "%s/handover", folder);
    return size > 0 && (size_t)size < sizeof at->sun_path;
}

/* Root may replace anybody's server, and its owner may. */
static bool is_ours(int link)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(link, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

static bool wait_for(int link, short events, int timeout_ms)
{
    struct pollfd one = {link, events, 0};
    return poll(&one, 1, timeout_ms) == 1;
}

/* --- the old one ------------------------------------------------------------
 */

struct handover_offer *handover_open(const char *folder, char *error,
                                     size_t error_size)
{
    struct sockaddr_un at;
    if (!socket_at(folder, &at)) {
        snprintf(error, error_size, "the data folder's name is too long");
        return NULL;
    }
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    unlink(at.sun_path); /* whoever had it has ended, or given it to us */
    mode_t mask = umask(077);
    bool good = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
                listen(fd, 1) == 0;
    umask(mask);
    if (!good) {
        snprintf(error, error_size, "%s: %s", at.sun_path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    struct handover_offer *offer = calloc(1, sizeof *offer);
    if (offer == NULL)
        abort();
    memcpy(offer->path, at.sun_path, sizeof offer->path);
    offer->listener = fd;
    offer->link = -1;
    return offer;
}

void handover_close(struct handover_offer *offer)
{
    if (offer == NULL)
        return;
    if (!inherited_are_handed_over())
        unlink(offer->path);
    close(offer->listener);
    if (offer->link >= 0)
        close(offer->link);
    free(offer);
}

static bool send_letter(int link, struct letter *letter, const int *fds)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_MAX * sizeof(int))];
    size_t bytes = (size_t)letter->fd_count * sizeof(int);
    struct iovec part = {letter, sizeof *letter};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    memset(control, 0, sizeof control);
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(bytes);
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(rights), fds, bytes);
    return sendmsg(link, &message, MSG_NOSIGNAL) == (ssize_t)sizeof *letter;
}

static bool give(int link, struct embedded *embedded)
{
    int fds[FDS_MAX];
    struct letter letter = {0};
    struct embedded_lease lease;
    memcpy(letter.version, hello, sizeof hello);
    if (embedded != NULL) {
        if (!embedded_lend(embedded, &lease))
            return false;
        letter.has_database = 1;
        letter.postmaster = lease.pid;
        fds[letter.fd_count++] = lease.lock;
        fds[letter.fd_count++] = lease.pipe;
    }
    size_t listening =
        inherited_listening(fds + letter.fd_count, LISTENING_MAX);
    if (listening == 0 || listening > LISTENING_MAX)
        return false;
    letter.fd_count += (int32_t)listening;
    return send_letter(link, &letter, fds);
}

static bool hears_hello(int link)
{
    char text[sizeof hello] = "";
    return wait_for(link, POLLIN, PATIENCE_MS) &&
           recv(link, text, sizeof text, MSG_DONTWAIT) == sizeof hello &&
           memcmp(text, hello, sizeof hello) == 0;
}

static handover_event look_for_caller(struct handover_offer *offer,
                                      struct embedded *embedded)
{
    int link = accept4(offer->listener, NULL, NULL, SOCK_CLOEXEC);
    if (link < 0)
        return HANDOVER_NOTHING;
    if (is_ours(link) && hears_hello(link) && give(link, embedded)) {
        offer->link = link;
        return HANDOVER_BEGUN;
    }
    close(link);
    return HANDOVER_REFUSED;
}

static handover_event look_for_answer(struct handover_offer *offer,
                                      struct embedded *embedded)
{
    char text[sizeof ready] = "";
    ssize_t got = recv(offer->link, text, sizeof text, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return HANDOVER_NOTHING;
    if (got == sizeof ready && memcmp(text, ready, sizeof ready) == 0)
        return HANDOVER_DONE;
    close(offer->link);
    offer->link = -1;
    if (embedded != NULL)
        embedded_take_back(embedded);
    return HANDOVER_FAILED;
}

handover_event handover_look(struct handover_offer *offer,
                             struct embedded *embedded)
{
    if (offer == NULL)
        return HANDOVER_NOTHING;
    return offer->link < 0 ? look_for_caller(offer, embedded)
                           : look_for_answer(offer, embedded);
}

/* --- the new one ------------------------------------------------------------
 */

/* How many descriptors came with it; they are in `fds`. */
static int receive_letter(int link, struct letter *letter, int fds[FDS_MAX])
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_MAX * sizeof(int))];
    struct iovec part = {letter, sizeof *letter};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    if (!wait_for(link, POLLIN, PATIENCE_MS) ||
        recvmsg(link, &message, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof *letter)
        return 0;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    if (rights == NULL || rights->cmsg_type != SCM_RIGHTS)
        return 0;
    size_t bytes = rights->cmsg_len - CMSG_LEN(0);
    memcpy(fds, CMSG_DATA(rights), bytes);
    return (int)(bytes / sizeof(int));
}

static bool unpack(int link, struct handover_gift *gift)
{
    struct letter letter;
    int fds[FDS_MAX], used = 0;
    int count = receive_letter(link, &letter, fds);
    if (count == 0 || count != letter.fd_count ||
        memcmp(letter.version, hello, sizeof hello) != 0)
        return false;
    if (letter.has_database && count >= DATABASE_FDS) {
        gift->has_database = true;
        gift->database =
            (struct embedded_lease){fds[0], fds[1], letter.postmaster};
        used = DATABASE_FDS;
    }
    for (; used < count; used++)
        gift->listening_count += inherited_add(fds[used]);
    return gift->listening_count > 0;
}

static pid_t peer_of(int link)
{
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    getsockopt(link, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    return peer.pid;
}

int handover_take(const char *folder, struct handover_gift *gift, char *error,
                  size_t error_size)
{
    struct sockaddr_un at;
    *gift = (struct handover_gift){0};
    int link = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (link < 0 || !socket_at(folder, &at) ||
        connect(link, (struct sockaddr *)&at, sizeof at) != 0)
        snprintf(error, error_size,
                 "No prbald serves the data folder %s that could be replaced.",
                 folder);
    else if (!is_ours(link))
        snprintf(error, error_size, "%s is somebody else's.", at.sun_path);
    else if (send(link, hello, sizeof hello, MSG_NOSIGNAL) < 0 ||
             !unpack(link, gift))
        snprintf(error, error_size,
                 "The prbald that serves %s does not give its place.", folder);
    else {
        gift->giver = peer_of(link);
        return link;
    }
    if (link >= 0)
        close(link);
    return -1;
}

void handover_ready(int link)
{
    send(link, ready, sizeof ready, MSG_NOSIGNAL);
    close(link);
}
