#include "services/events/whisper.h"

#include "rpc/loop.h"
#include "services/events/hub_internal.h"
#include "services/events/wire.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is posted to each loop; the receiver frees it. */
struct posted {
    bool is_for_others; /* other processes are to hear of it, too */
    struct whisper whisper;
};

static event_note note_of(const struct whisper *whisper)
{
    TypingIndicator indicator = TYPING_INDICATOR_INIT;
    indicator.room_id = whisper->room_id;
    indicator.user_id = whisper->user_id;
    indicator.is_typing = whisper->is_typing;
    Event event = EVENT_INIT;
    event.payload_case = EVENT_TYPING_INDICATOR_CASE;
    event.typing_indicator = &indicator;
    return event_note_of(&event);
}

/* A stream that catches up or is full is left out. */
static void tell(const struct hub *hub, const struct whisper *whisper)
{
    const struct hub_user *user =
        (struct hub_user *)user_find(&hub->users, whisper->to);
    if (user == NULL)
        return;
    event_note note = note_of(whisper);
    for (struct hub_stream *s = user->streams; s; s = s->next_of_user)
        if (s->tail != NULL && s->full_since_us == 0 &&
            hub_wants(s, EVENT_TOPIC_CHAT))
            hub_offer(s, note.bytes, note.size);
}

static void on_posted(void *argument)
{
    struct posted *posted = argument;
    struct hub *hub = hub_of(loop_current());
    if (hub != NULL) {
        tell(hub, &posted->whisper);
        if (posted->is_for_others && hub->hints != NULL)
            hints_add_whisper(hub->hints, &posted->whisper);
    }
    free(posted);
}

static void post(struct rpc_server *server, const struct whisper *whisper,
                 bool is_for_others)
{
    for (int i = 0; i < rpc_server_loop_count(server); i++) {
        struct posted *posted = malloc(sizeof *posted);
        assert(posted != NULL);
        *posted = (struct posted){is_for_others, *whisper};
        loop_post(rpc_server_loop(server, i), on_posted, posted);
    }
}

void whisper_send(struct rpc_call *call, const struct whisper *whisper)
{
    post(call->server, whisper, true);
}

void whisper_here(struct rpc_server *server, const struct whisper *whisper)
{
    post(server, whisper, false);
}

/* ---- As a word: 1ID,ID,ID */

void whisper_write(const struct whisper *whisper, char word[WHISPER_WORD_SIZE])
{
    snprintf(word, WHISPER_WORD_SIZE, "%d%s,%s,%s", whisper->is_typing,
             whisper->to, whisper->room_id, whisper->user_id);
}

bool whisper_read(struct whisper *whisper, const char *word)
{
    whisper->is_typing = word[0] == '1';
    return sscanf(word, "%*1[01]%36[^,],%36[^,],%36[^,]", whisper->to,
                  whisper->room_id, whisper->user_id) == 3;
}
