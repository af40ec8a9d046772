/* Telling the streams who came online and who went.
 *
 * What is told is the present state, in no log: a stream that cannot take it is
 * told so once it can, and its client asks again. */
#include "db/db.h"
#include "rpc/codec.h"
#include "services/events/hub_internal.h"
#include "services/events/presence.sql.h"
#include "services/events/presence_row.rpc.h"
#include "services/events/wire.h"

enum { NEWS_AT_ONCE = 100 };

static event_note stale_note(void)
{
    PresenceStale stale = PRESENCE_STALE_INIT;
    Event event = EVENT_INIT;
    event.payload_case = EVENT_PRESENCE_STALE_CASE;
    event.presence_stale = &stale;
    return event_note_of(&event);
}

void hub_admit_stale(struct hub_stream *stream)
{
    if (!stream->is_presence_stale)
        return;
    event_note note = stale_note();
    stream->is_presence_stale = !hub_offer(stream, note.bytes, note.size);
}

/* A stream that catches up has no tail yet. */
static void tell(struct hub_stream *stream, const void *bytes, size_t size)
{
    if (!hub_wants(stream, EVENT_TOPIC_PRESENCE))
        return;
    bool is_told = stream->tail != NULL && stream->full_since_us == 0 &&
                   !stream->is_presence_stale && hub_offer(stream, bytes, size);
    stream->is_presence_stale |= !is_told;
}

static const void *encoded(struct arena *arena, const PresenceNewsRow *row,
                           size_t *size)
{
    UserStatusChanged changed = USER_STATUS_CHANGED_INIT;
    changed.user_id = row->user_id;
    changed.full_name = row->full_name;
    changed.status =
        row->is_online ? PRESENCE_STATUS_ONLINE : PRESENCE_STATUS_OFFLINE;
    changed.last_seen_time = row->is_online ? NULL : row->last_seen_time;
    Event event = EVENT_INIT;
    event.create_time = row->last_seen_time;
    event.payload_case = EVENT_USER_STATUS_CHANGED_CASE;
    event.user_status_changed = &changed;
    SubscribeResponse response = SUBSCRIBE_RESPONSE_INIT;
    response.event = &event;
    return codec_pack(arena, &response.base, size);
}

static void tell_watchers(struct hub *hub, struct arena *arena,
                          const PresenceNewsRow *row)
{
    const void *bytes = NULL;
    size_t size = 0;
    for (size_t i = 0; i < row->n_watcher_ids; i++) {
        const struct hub_user *user =
            (struct hub_user *)user_find(&hub->users, row->watcher_ids[i]);
        if (user == NULL)
            continue;
        if (bytes == NULL)
            bytes = encoded(arena, row, &size);
        for (struct hub_stream *s = user->streams; s; s = s->next_of_user)
            tell(s, bytes, size);
    }
}

/* Those who changed at one version may stand on two pages. */
static rpc_status read_news(struct hub *hub, struct rpc_call *call)
{
    const char *user_id = "ffffffff-ffff-ffff-ffff-ffffffffffff";
    size_t count = NEWS_AT_ONCE;
    int64_t version = hub->presence_version;
    while (count == NEWS_AT_ONCE) {
        PresenceNewsRow **rows;
        TRY(db_many(call->db, &presence_news, &count, &rows, db_int(version),
                    db_text(user_id), db_int(NEWS_AT_ONCE)));
        for (size_t i = 0; i < count; i++)
            tell_watchers(hub, call->arena, rows[i]);
        if (count == 0)
            break;
        version = rows[count - 1]->version;
        user_id = rows[count - 1]->user_id;
    }
    hub->presence_version = version;
    return RPC_SUCCESS;
}

/* The versions began anew, as after a restored backup. */
static void begin_anew(struct hub *hub, int64_t version)
{
    hub->presence_version = version;
    for (struct hub_stream *s = hub->first; s != NULL; s = s->after) {
        s->is_presence_stale = hub_wants(s, EVENT_TOPIC_PRESENCE);
        if (s->tail != NULL && s->full_since_us == 0)
            hub_admit_stale(s);
    }
}

rpc_status hub_read_presence(struct hub *hub, struct rpc_call *call)
{
    PresenceVersionRow *now;
    if (hub->presence_version < 0)
        return RPC_SUCCESS; /* no stream is connected yet */
    TRY(db_one(call->db, &presence_version, &now, DB_NONE));
    if (now->version < hub->presence_version)
        begin_anew(hub, now->version);
    return now->version > hub->presence_version ? read_news(hub, call)
                                                : RPC_SUCCESS;
}

rpc_status hub_follow_presence(struct rpc_call *call)
{
    struct hub *hub = hub_of(call->loop);
    PresenceVersionRow *now;
    if (hub->presence_version >= 0)
        return RPC_SUCCESS;
    TRY(db_one(call->db, &presence_version, &now, DB_NONE));
    if (hub->presence_version < 0)
        hub->presence_version = now->version;
    return RPC_SUCCESS;
}
