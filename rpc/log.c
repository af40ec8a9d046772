#include "rpc/log.h"

#include "rpc/clock.h"
#include "rpc/log_line.h"
#include "rpc/log_ring.h"
#include "rpc/methods.h"
#include "rpc/metrics.h"
#include "rpc/observe.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum {
    WRITE_TICK_MS = 50,
    FILE_NAME_MAX = 4096,
};

/* The writer looks at the rings; waits for a tick to pass; or has found nothing
 * for a whole tick, and waits to be woken. */
enum { WRITER_LOOKS, WRITER_TICKS, WRITER_SLEEPS };

static struct {
    struct log_options options;
    atomic_int level; /* LOG_ERROR + 1 = off */
    int fd;
    size_t file_bytes;
    uv_thread_t writer;
    uv_mutex_t lock; /* of the list of rings and of the two conditions */
    uv_cond_t wake;
    atomic_int writer_state;
    bool is_closing;
    struct log_ring *rings;
} the_log = {.level = LOG_ERROR + 1};

static _Thread_local struct log_ring *my_ring;
static uv_once_t once = UV_ONCE_INIT;
static pthread_key_t ring_key;
static metric dropped;

/* --- the logging side ----------------------------------------------------- */

static void abandon_ring(void *ring)
{
    atomic_store(&((struct log_ring *)ring)->is_abandoned, true);
}

static void set_up_once(void)
{
    if (uv_mutex_init(&the_log.lock) != 0 || uv_cond_init(&the_log.wake) != 0 ||
        pthread_key_create(&ring_key, abandon_ring) != 0)
        abort();
    dropped = metrics_counter("log_dropped_total",
                              "Log lines that found their ring full.", NULL);
}

/* A ring of this thread: one whose thread has ended is taken over. */
static struct log_ring *find_ring(void)
{
    uv_mutex_lock(&the_log.lock);
    struct log_ring *ring = the_log.rings;
    while (ring != NULL && !atomic_load(&ring->is_abandoned))
        ring = ring->next;
    if (ring == NULL) {
        ring = calloc(1, sizeof *ring);
        if (ring == NULL)
            abort();
        ring->next = the_log.rings;
        the_log.rings = ring;
    }
    atomic_store(&ring->is_abandoned, false);
    uv_mutex_unlock(&the_log.lock);
    pthread_setspecific(ring_key, ring);
    return ring;
}

bool log_is_on(log_level level)
{
    return (int)level >=
           atomic_load_explicit(&the_log.level, memory_order_relaxed);
}

static struct log_record *reserve(size_t texts_size)
{
    if (my_ring == NULL)
        my_ring = find_ring();
    struct log_record *r =
        log_ring_reserve(my_ring, sizeof(struct log_record) + texts_size);
    if (r == NULL)
        metrics_add(dropped, 1);
    return r;
}

/* Waking costs a system call, so a busy log is looked at by the clock, and
 * earlier only when this ring fills up. */
static bool must_wake(void)
{
    int state = atomic_load(&the_log.writer_state);
    return state == WRITER_SLEEPS ||
           (state == WRITER_TICKS && log_ring_is_half_full(my_ring));
}

static void commit(void)
{
    log_ring_commit(my_ring);
    if (!must_wake())
        return;
    uv_mutex_lock(&the_log.lock);
    uv_cond_signal(&the_log.wake);
    uv_mutex_unlock(&the_log.lock);
}

void log_text(log_level level, const char *area, const char *format, ...)
{
    if (!log_is_on(level))
        return;
    char text[LOG_TEXT_MAX];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size < 0)
        return;
    size_t kept = (size_t)size < sizeof text ? (size_t)size : sizeof text - 1;
    struct log_record *r = reserve(kept + 1);
    if (r == NULL)
        return;
    *r = (struct log_record){
        .wall_us = clock_wall_us(), .area = area, .level = level};
    memcpy(r->texts, text, kept + 1);
    commit();
}

static bool is_our_fault(rpc_code code)
{
    return (unsigned)code >= RPC_CODE_COUNT || code == RPC_UNKNOWN ||
           code == RPC_INTERNAL || code == RPC_DATA_LOSS;
}

static char *append_text(char *at, const char *text, size_t size)
{
    memcpy(at, text, size);
    at[size] = '\0';
    return at + size + 1;
}

void log_call(const struct observed *o, rpc_status status, int64_t end_us)
{
    log_level level = is_our_fault(status.code) ? LOG_ERROR : LOG_INFO;
    if (!log_is_on(level) ||
        (level == LOG_INFO && the_log.options.without_calls))
        return;
    const char *message =
        level == LOG_ERROR && status.message != NULL ? status.message : "";
    const char *caller = o->caller_id == NULL ? "" : o->caller_id;
    const char *request_id = o->request_id == NULL ? "" : o->request_id;
    const char *peer = o->peer == NULL ? "" : o->peer;
    size_t message_size = strnlen(message, LOG_TEXT_MAX);
    size_t caller_size = strnlen(caller, LOG_NAME_MAX);
    size_t request_size = strnlen(request_id, LOG_NAME_MAX);
    size_t peer_size = strnlen(peer, LOG_NAME_MAX);
    struct log_record *r = reserve(sizeof o->trace + message_size +
                                   caller_size + request_size + peer_size + 4);
    if (r == NULL)
        return;
    *r = (struct log_record){
        .wall_us = clock_wall_us(),
        .path = o->entry == NULL ? "other" : o->entry->method->path,
        .level = level,
        .code = status.code,
        .duration_us = end_us - o->start_us,
        .wait_us = o->handler_us == 0 ? -1 : o->handler_us - o->start_us,
        .bytes_in = o->bytes_in,
        .bytes_out = o->bytes_out,
        .messages_in = o->messages_in,
        .messages_out = o->messages_out,
        .previous_attempts = o->previous_attempts,
    };
    memcpy(r->texts, &o->trace, sizeof o->trace);
    char *at = append_text(r->texts + sizeof o->trace, message, message_size);
    at = append_text(at, caller, caller_size);
    at = append_text(at, request_id, request_size);
    append_text(at, peer, peer_size);
    commit();
}

/* --- the writing side ----------------------------------------------------- */

static void write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* a full disk must not stop the server */
        bytes += n;
        size -= (size_t)n;
    }
}

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

/* path -> path.1 -> ... -> path.N, which is lost. */
static void rotate(void)
{
    static char from[FILE_NAME_MAX], to[FILE_NAME_MAX]; /* the writer's */
    const char *path = the_log.options.path;
    for (int i = the_log.options.files_max; i > 1; i--) {
        snprintf(from, sizeof from, "%s.%d", path, i - 1);
        snprintf(to, sizeof to, "%s.%d", path, i);
        rename(from, to);
    }
    snprintf(to, sizeof to, "%s.1", path);
    rename(path, to);
    int fd = open_file(path);
    if (fd < 0)
        return; /* goes on with the old one, under its new name */
    close(the_log.fd);
    the_log.fd = fd;
    the_log.file_bytes = 0;
}

static void flush(struct log_batch *batch)
{
    write_all(the_log.fd, batch->bytes, batch->size);
    the_log.file_bytes += batch->size;
    batch->size = 0;
    if (the_log.options.path != NULL &&
        the_log.file_bytes >= the_log.options.file_bytes_max)
        rotate();
}

static struct log_ring *first_ring(void)
{
    uv_mutex_lock(&the_log.lock);
    struct log_ring *ring = the_log.rings;
    uv_mutex_unlock(&the_log.lock);
    return ring;
}

/* Rings are never taken off the list, so it can be walked without the lock. */
static bool drain_rings(struct log_batch *batch)
{
    bool found = false;
    for (struct log_ring *ring = first_ring(); ring != NULL;
         ring = ring->next) {
        size_t size;
        for (const struct log_record *r;
             (r = log_ring_peek(ring, &size)) != NULL; found = true) {
            if (sizeof batch->bytes - batch->size < LOG_LINE_BYTES_MAX)
                flush(batch);
            log_line_put(batch, r);
            log_ring_release(ring);
        }
    }
    if (batch->size > 0)
        flush(batch);
    return found;
}

static bool has_lines(void)
{
    size_t size;
    for (struct log_ring *ring = the_log.rings; ring != NULL; ring = ring->next)
        if (log_ring_peek(ring, &size) != NULL)
            return true;
    return false;
}

/* A line that comes between the last look and the sleep is seen by the second
 * look: its thread reads writer_state after it has put the line (commit()). */
static void wait_for_lines(bool found)
{
    uv_mutex_lock(&the_log.lock);
    if (!the_log.is_closing && found) {
        atomic_store(&the_log.writer_state, WRITER_TICKS);
        uv_cond_timedwait(&the_log.wake, &the_log.lock,
                          WRITE_TICK_MS * (uint64_t)1000000);
    } else if (!the_log.is_closing) {
        atomic_store(&the_log.writer_state, WRITER_SLEEPS);
        if (!has_lines())
            uv_cond_wait(&the_log.wake, &the_log.lock);
    }
    atomic_store(&the_log.writer_state, WRITER_LOOKS);
    uv_mutex_unlock(&the_log.lock);
}

static void writer_main(void *argument)
{
    struct log_batch *batch = argument;
    for (bool is_closing = false; !is_closing;) {
        uv_mutex_lock(&the_log.lock);
        is_closing = the_log.is_closing;
        uv_mutex_unlock(&the_log.lock);
        bool found = drain_rings(batch);
        if (!is_closing)
            wait_for_lines(found);
    }
    free(batch);
}

bool log_open(const struct log_options *options, char *error, size_t error_size)
{
    uv_once(&once, set_up_once);
    the_log.options = *options;
    if (options->file_bytes_max == 0)
        the_log.options.file_bytes_max = 10 * 1000 * 1000;
    if (options->files_max == 0)
        the_log.options.files_max = 5;
    the_log.fd =
        options->path == NULL ? STDERR_FILENO : open_file(options->path);
    if (the_log.fd < 0) {
        snprintf(error, error_size, "cannot write to %s: %s", options->path,
                 strerror(errno));
        return false;
    }
    off_t end = options->path == NULL ? 0 : lseek(the_log.fd, 0, SEEK_END);
    the_log.file_bytes = end < 0 ? 0 : (size_t)end;
    the_log.is_closing = false;
    struct log_batch *batch = malloc(sizeof *batch);
    if (batch == NULL)
        abort();
    batch->size = 0;
    if (uv_thread_create(&the_log.writer, writer_main, batch) != 0)
        abort();
    atomic_store(&the_log.level, (int)options->level);
    return true;
}

void log_close(void)
{
    if (atomic_exchange(&the_log.level, LOG_ERROR + 1) > LOG_ERROR)
        return;
    uv_mutex_lock(&the_log.lock);
    the_log.is_closing = true;
    uv_cond_signal(&the_log.wake);
    uv_mutex_unlock(&the_log.lock);
    uv_thread_join(&the_log.writer);
    if (the_log.options.path != NULL)
        close(the_log.fd);
}
