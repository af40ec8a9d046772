/* An object of somebody else is answered like one that does not exist, by every
 * RPC that takes an id: nobody learns that it is there, and nobody changes it.
 *
 * The rows are found wanting by the descriptors: an id in a request that no row
 * tries, and that is not said to be public, fails. */
#include "prbal/v1/registry.rpc.h"
#include "rpc/codec.h"
#include "rpc/json.h"
#include "rpc/method.h"
#include "tests/testkit/deals.h"
#include "tests/testkit/market.h"
#include "tests/testkit/rooms.h"

#include <ctype.h>
#include <stdio.h>

typedef enum {
    SERVICE, /* one that was deleted */
    BID,
    BOOKING,
    ROOM,
    MESSAGE,
    NOTIFICATION,
    SESSION,
    PRESENCE, /* whether somebody is there */
    OBJECTS,
} object;

/* "@" is the id, of somebody else's object and then of none; "#" a room of the
 * caller's own. */
static const struct row {
    const char *method;
    const char *request;
    object object;
    rpc_code want;
} rows[] = {
    {"AuthService/RevokeSession", "{'sessionId':'@'}", SESSION, RPC_NOT_FOUND},
    {"BidService/CreateBid",
     "{'serviceId':'@','message':'Hi','amount':{'amountMinor':1,"
     "'currency':'USD'}}",
     SERVICE, RPC_NOT_FOUND},
    {"BidService/GetBid", "{'bidId':'@'}", BID, RPC_NOT_FOUND},
    {"BidService/ListBids", "{'role':1,'serviceId':'@'}", SERVICE, RPC_OK},
    {"BidService/ListBidRevisions", "{'bidId':'@'}", BID, RPC_NOT_FOUND},
    {"BidService/UpdateBid", "{'bidId':'@','message':'Mine'}", BID,
     RPC_NOT_FOUND},
    {"BidService/AcceptBid", "{'bidId':'@'}", BID, RPC_NOT_FOUND},
    {"BidService/RejectBid", "{'bidId':'@'}", BID, RPC_NOT_FOUND},
    {"BidService/WithdrawBid", "{'bidId':'@'}", BID, RPC_NOT_FOUND},
    {"BookingService/CreateBooking", "{'serviceId':'@','fullName':'Eve'}",
     SERVICE, RPC_NOT_FOUND},
    {"BookingService/GetBooking", "{'bookingId':'@'}", BOOKING, RPC_NOT_FOUND},
    {"BookingService/ListBookings", "{'serviceId':'@'}", SERVICE, RPC_OK},
    {"BookingService/AcceptBooking", "{'bookingId':'@'}", BOOKING,
     RPC_NOT_FOUND},
    {"BookingService/DeclineBooking", "{'bookingId':'@'}", BOOKING,
     RPC_NOT_FOUND},
    {"BookingService/StartBooking", "{'bookingId':'@'}", BOOKING,
     RPC_NOT_FOUND},
    {"BookingService/CompleteBooking", "{'bookingId':'@'}", BOOKING,
     RPC_NOT_FOUND},
    {"BookingService/CancelBooking", "{'bookingId':'@'}", BOOKING,
     RPC_NOT_FOUND},
    {"BookingService/ListTimelineEvents", "{'bookingId':'@'}", BOOKING,
     RPC_NOT_FOUND},
    {"ChatService/GetPresence", "{'userIds':['@']}", PRESENCE, RPC_OK},
    {"ChatService/ListRooms", "{'bookingId':'@'}", BOOKING, RPC_OK},
    {"ChatService/ListRooms", "{'serviceId':'@'}", SERVICE, RPC_OK},
    {"ChatService/SetTyping", "{'roomId':'@'}", ROOM, RPC_NOT_FOUND},
    {"ChatService/SendMessage", "{'roomId':'@','content':'Hi'}", ROOM,
     RPC_NOT_FOUND},
    {"ChatService/SendMessage", "{'roomId':'#','content':'Hi','replyToId':'@'}",
     MESSAGE, RPC_FAILED_PRECONDITION},
    {"ChatService/ListMessages", "{'roomId':'@'}", ROOM, RPC_NOT_FOUND},
    {"ChatService/MarkRoomRead", "{'roomId':'@'}", ROOM, RPC_NOT_FOUND},
    {"ChatService/MarkRoomRead", "{'roomId':'#','upToMessageId':'@'}", MESSAGE,
     RPC_NOT_FOUND},
    {"ListingService/GetService", "{'serviceId':'@'}", SERVICE, RPC_NOT_FOUND},
    {"ListingService/UpdateService", "{'serviceId':'@','title':'My own'}",
     SERVICE, RPC_NOT_FOUND},
    {"ListingService/DeleteService", "{'serviceId':'@'}", SERVICE,
     RPC_NOT_FOUND},
    {"ListingService/CancelService", "{'serviceId':'@'}", SERVICE,
     RPC_NOT_FOUND},
    {"ListingService/ReopenService", "{'serviceId':'@'}", SERVICE,
     RPC_NOT_FOUND},
    {"NotificationService/MarkRead", "{'notificationIds':['@']}", NOTIFICATION,
     RPC_NOT_FOUND},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

/* Ids of what everybody may see, or administrators alone, and keys that a
 * caller makes. */
static const char *const free_ids[] = {
    "AdminService/CancelJob.job_id",
    "AdminService/GetJob.job_id",
    "AdminService/RetryJob.job_id",
    "BookingService/CreateBooking.request_id",
    "CatalogService/GetCategory.category_id",
    "CatalogService/ListCategories.parent_id",
    "ChatService/OpenDirectRoom.target_user_id",
    "ChatService/SendMessage.client_message_id",
    "ListingService/CreateService.category_ids",
    "ListingService/CreateService.request_id",
    "ListingService/UpdateService.category_ids",
    "UserService/GetUser.user_id",
};

/* -- no id is forgotten -------------------------------------------------- */

static bool is_id(const ProtobufCFieldDescriptor *field)
{
    size_t size = strlen(field->name);
    return field->type == PROTOBUF_C_TYPE_STRING && size > 3 &&
           (strcmp(field->name + size - 3, "_id") == 0 ||
            (size > 4 && strcmp(field->name + size - 4, "_ids") == 0));
}

static bool is_free(const char *method, const char *field)
{
    char name[120];
    snprintf(name, sizeof name, "%s.%s", method, field);
    for (size_t i = 0; i < sizeof free_ids / sizeof *free_ids; i++)
        if (strcmp(free_ids[i], name) == 0)
            return true;
    return false;
}

/* "'bidId':'@'" or "'bidIds':['@']" */
static bool row_tries(const struct row *row, const char *field)
{
    char one[80], many[84];
    size_t size = 0;
    for (const char *c = field; *c != '\0'; c++)
        if (*c != '_')
            one[size++] =
                c > field && c[-1] == '_' ? (char)toupper((uint8_t)*c) : *c;
    one[size] = '\0';
    snprintf(many, sizeof many, "'%.60s':['@']", one);
    snprintf(one + size, sizeof one - size, "':'@'");
    return strstr(row->request, one) != NULL ||
           strstr(row->request, many) != NULL;
}

static bool is_tried(const char *method, const char *field)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].method, method) == 0 && row_tries(&rows[i], field))
            return true;
    return is_free(method, field);
}

static void every_id_in_a_request_is_tried(void **state)
{
    (void)state;
    for (size_t s = 0; s < prbal_registry.service_count; s++) {
        const struct rpc_service *service = prbal_registry.services[s];
        for (size_t m = 0; m < service->method_count; m++) {
            const struct rpc_method *method = &service->methods[m];
            const char *name = method->path + strlen("/prbal.v1.");
            for (unsigned f = 0; f < method->request->n_fields; f++) {
                const ProtobufCFieldDescriptor *field =
                    &method->request->fields[f];
                if (is_id(field) && !is_tried(name, field->name))
                    fail_msg("%s: whose is %s? add a row", name, field->name);
            }
        }
    }
}

/* -- every row ----------------------------------------------------------- */

/* A seeker with something of everything, and whom she deals with. */
struct owner {
    struct person who;
    const char *ids[OBJECTS];
};

static struct owner owner_of_everything(fixture *t)
{
    struct owner o = {.who = person(t, USER_TYPE_SEEKER)};
    struct person provider = person(t, USER_TYPE_PROVIDER);
    const char *needed = needed_service(t, &o.who, "Dig a well");
    const char *offered = offered_service(t, &provider, "Draw water");
    o.ids[SERVICE] = needed_service(t, &o.who, "A secret wish");
    sql(t, "update service set is_active = false where service_id = '%s'",
        o.ids[SERVICE]);
    o.ids[BID] = bid_on(t, &provider, needed, 5000)->bid_id;
    o.ids[BOOKING] = book(t, &o.who, offered, 60, 60)->booking_id;
    o.ids[ROOM] = open_room(t, &o.who, &provider);
    o.ids[MESSAGE] = say(t, &o.who, o.ids[ROOM], "Between us.")->message_id;
    o.ids[NOTIFICATION] = text(
        t, "select notification_id from notification where recipient_id = '%s'",
        o.who.user_id);
    o.ids[SESSION] = o.who.session_id;
    o.ids[PRESENCE] = o.who.user_id;
    return o;
}

/* All rows of all tables in which somebody is named. */
static const char *rows_of(fixture *t, const struct person *who)
{
    return text(t,
                "select md5(string_agg(query_to_xml(format('select * from %%I t"
                " where t::text like ''%%%%%s%%%%'' order by t::text',"
                " tablename), false, false, '')::text, '' order by tablename))"
                " from pg_tables where schemaname = 'public'",
                who->user_id);
}

static const struct rpc_method *find_method(const char *name)
{
    for (size_t s = 0; s < prbal_registry.service_count; s++)
        for (size_t m = 0; m < prbal_registry.services[s]->method_count; m++) {
            const struct rpc_method *method =
                &prbal_registry.services[s]->methods[m];
            if (strcmp(method->path + strlen("/prbal.v1."), name) == 0)
                return method;
        }
    fail_msg("there is no %s", name);
    return NULL;
}

/* The row's request with its marks replaced. */
static const char *fill(fixture *t, const char *request, const char *id,
                        const char *own_room)
{
    const char *filled = "";
    for (const char *c = request; *c != '\0'; c++) {
        char plain[2] = {*c == '\'' ? '"' : *c, '\0'};
        const char *piece = *c == '@' ? id : *c == '#' ? own_room : plain;
        filled = arena_printf(t->arena, "%s%s", filled, piece);
    }
    return filled;
}

struct stranger {
    const char *name;
    struct person who;
    const char *room;
};

static struct rpc_reply ask(fixture *t, const struct json_types *types,
                            const struct row *row, const struct stranger *s,
                            const char *id)
{
    const struct rpc_method *method = find_method(row->method);
    const char *json = fill(t, row->request, id, s->room);
    ProtobufCMessage *request;
    struct json_error error;
    if (!json_decode(t->arena, types, method->request, json, strlen(json),
                     &request, &error))
        fail_msg("%s %s: %s", row->method, json, error.text);
    return call_as(t, &s->who, method->path, request);
}

static bool is_same_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static bool is_same(fixture *t, struct rpc_reply a, struct rpc_reply b)
{
    if (a.status.code != b.status.code || a.details_size != b.details_size ||
        !is_same_text(a.status.message, b.status.message))
        return false;
    if (a.details_size > 0 && memcmp(a.details, b.details, a.details_size) != 0)
        return false;
    return (a.message == NULL) == (b.message == NULL) &&
           (a.message == NULL ||
            codec_is_equal(t->arena, a.message, b.message));
}

static void try_row(fixture *t, const struct json_types *types,
                    const struct row *row, const struct stranger *s,
                    const char *id, bool may_call)
{
    struct rpc_reply foreign = ask(t, types, row, s, id);
    struct rpc_reply missing = ask(t, types, row, s, NOBODY);
    if (!is_same(t, foreign, missing))
        fail_msg("%s %s by %s: \"%s\" (%s) for what is somebody else's, \"%s\""
                 " (%s) for what is not there",
                 row->method, row->request, s->name, foreign.status.message,
                 rpc_code_name(foreign.status.code), missing.status.message,
                 rpc_code_name(missing.status.code));
    if (may_call && foreign.status.code != row->want)
        fail_msg("%s %s by %s: %s, not %s", row->method, row->request, s->name,
                 rpc_code_name(foreign.status.code), rpc_code_name(row->want));
}

static struct stranger make_stranger(fixture *t, const char *name,
                                     UserType type)
{
    struct stranger s = {.name = name, .who = person(t, type)};
    struct person friend = person(t, USER_TYPE_PROVIDER);
    s.room = open_room(t, &s.who, &friend);
    return s;
}

static void a_foreign_id_is_answered_like_one_that_nobody_has(void **state)
{
    fixture *t = *state;
    static const struct rpc_registry *const registries[] = {&prbal_registry,
                                                            NULL};
    struct json_types *types = json_types_create(registries);
    struct owner owner = owner_of_everything(t);
    const struct stranger both = make_stranger(t, "both", USER_TYPE_BOTH);
    const struct stranger others[] = {
        make_stranger(t, "a seeker", USER_TYPE_SEEKER),
        make_stranger(t, "a provider", USER_TYPE_PROVIDER),
        make_stranger(t, "a learner", USER_TYPE_LEARNER),
    };
    const char *before = rows_of(t, &owner.who);
    for (size_t i = 0; i < ROWS; i++) {
        const char *id = owner.ids[rows[i].object];
        try_row(t, types, &rows[i], &both, id, true);
        for (size_t k = 0; k < sizeof others / sizeof others[0]; k++)
            try_row(t, types, &rows[i], &others[k], id, false);
    }
    assert_string_equal(rows_of(t, &owner.who), before);
    json_types_destroy(types);
}

TEST_MAIN("foreign", TEST(every_id_in_a_request_is_tried),
          TEST(a_foreign_id_is_answered_like_one_that_nobody_has))
