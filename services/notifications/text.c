/* What notifications say, in English.
 *
 *   {name} {subject} {text}   what the notice says
 *   {state}                   {text} in words: IN_PROGRESS is "in progress"
 *   [...]                     left out when the notice has no text */
#include "services/notifications/text.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

struct texts {
    const char *title;
    const char *message;
};

#define TYPE(name) [NOTIFICATION_TYPE_##name]

static const struct texts texts[] = {
    TYPE(BID_REQUEST) = {"Quote requested",
                         "{name} asks you for a quote on {subject}"},
    TYPE(NEW_BID) = {"New bid", "{name} made a bid on {subject}[: {text}]"},
    TYPE(BID_ACCEPTED) = {"Bid accepted", "Your bid on {subject} was accepted"},
    TYPE(BID_REJECTED) = {"Bid not accepted",
                          "Your bid on {subject} was not accepted[: {text}]"},
    TYPE(BID_WITHDRAWN) = {"Bid withdrawn",
                           "{name} withdrew the bid on {subject}"},
    TYPE(
        BID_COUNTERED) = {"Counter-offer",
                          "{name} proposes other terms on {subject}[: {text}]"},
    TYPE(BID_EXPIRED) = {"Bid expired", "The bid on {subject} has expired"},
    TYPE(BOOKING_CREATED) = {"New booking request",
                             "{name} booked your {subject} service"},
    TYPE(BOOKING_ACCEPTED) = {"Booking confirmed",
                              "Your booking for {subject} has been confirmed"},
    TYPE(BOOKING_DECLINED) = {"Booking declined",
                              "Your booking for {subject} has been declined"},
    TYPE(BOOKING_STATUS_CHANGED) = {"Booking updated",
                                    "Your booking for {subject} has "
                                    "changed[: it is now {state}]"},
    TYPE(BOOKING_RESCHEDULED) = {"Booking moved",
                                 "Your booking for {subject} has another time"
                                 "[: {text}]"},
    TYPE(TASK_COMPLETED) = {"Work completed", "{subject} is completed"},
    TYPE(TASK_CANCELLED) = {"Work cancelled", "{subject} was cancelled"},
    TYPE(TASK_UPDATE) = {"Work updated", "{subject} has changed[: {text}]"},
    TYPE(TASK_REMINDER) = {"Reminder", "{subject}[: {text}]"},
    TYPE(PAYMENT_RECEIVED) = {"Payment received",
                              "{name} paid[ {text}] for {subject}"},
    TYPE(PAYMENT_COMPLETED) = {"Payment completed",
                               "Your payment[ of {text}] for {subject} is "
                               "completed"},
    TYPE(PAYMENT_FAILED) = {"Payment failed",
                            "Your payment for {subject} failed[: {text}]"},
    TYPE(REFUND) = {"Refund", "You get[ {text}] back for {subject}"},
    TYPE(PAYOUT_UPDATE) = {"Payout", "Your payout[ is {state}]"},
    TYPE(PAYOUT_ACCOUNT_UPDATED) = {"Payout account",
                                    "Your payout account was updated"},
    TYPE(REVIEW_RECEIVED) = {"New review",
                             "{name} reviewed {subject}[: {text}]"},
    TYPE(REVIEW_RESPONSE) = {"Answer to your review",
                             "{name} answered your review[: {text}]"},
    TYPE(VERIFICATION_STATUS_UPDATE) = {"Verification",
                                        "Your verification[ is {state}]"},
    TYPE(MESSAGE) = {"New message from {name}", "{name} in {subject}: {text}"},
    TYPE(NEW_MATCHING_SERVICE) = {"New work for you",
                                  "{subject} matches what you offer"},
    TYPE(MATCH) = {"A match", "{subject} matches what you look for"},
    TYPE(SAVED_SEARCH_HIT) = {"Saved search", "{subject} is new[ in {text}]"},
    TYPE(DISPUTE_UPDATE) = {"Dispute",
                            "The dispute about {subject}[ is {state}]"},
    TYPE(EXPENSE_NEW_TRANSACTION) = {"New transaction", "{subject}[: {text}]"},
    TYPE(BUDGET_ALERT) = {"Budget", "{subject}[: {text}]"},
    TYPE(PROMOTION) = {"For you", "{text}"},
    TYPE(MARKETING) = {"News", "{text}"},
    TYPE(SYSTEM) = {"Prbal", "{text}"},
};

static const struct {
    const char *type;
    const char *folder;
} paths[] = {
    {"Bid", "bids"},
    {"Booking", "bookings"},
    {"ChatRoom", "chat"},
    {"Service", "services"},
    {"Payment", "payments"},
    {"Review", "reviews"},
    {"Verification", "verifications"},
};

const char *text_cut(struct arena *arena, const char *text, size_t characters)
{
    const char *end = text;
    for (size_t n = 0; *end != '\0'; end++)
        if (((unsigned char)*end & 0xc0) != 0x80 && ++n > characters)
            return arena_strndup(arena, text, (size_t)(end - text));
    return text;
}

static const char *in_words(struct arena *arena, const char *state)
{
    char *words = arena_strdup(arena, state);
    for (char *c = words; *c != '\0'; c++)
        *c = *c == '_' ? ' ' : (char)tolower((unsigned char)*c);
    return words;
}

static const char *value_of(struct arena *arena, const struct notice *notice,
                            const char *field, size_t length)
{
    const char *text = notice->text != NULL ? notice->text : "";
    if (strncmp(field, "name", length) == 0)
        return notice->name != NULL ? notice->name : "someone";
    if (strncmp(field, "subject", length) == 0)
        return notice->subject != NULL ? notice->subject : "service";
    if (strncmp(field, "state", length) == 0)
        return in_words(arena, text);
    return text;
}

/* Templates are ours: every bracket has its partner. */
static const char *fill(struct arena *arena, const struct notice *notice,
                        const char *template)
{
    const char *filled = "";
    bool has_text = notice->text != NULL && *notice->text != '\0';
    for (const char *at = template; *at != '\0';) {
        if (*at == '{') {
            size_t length = strcspn(at, "}");
            filled = arena_printf(arena, "%s%s", filled,
                                  value_of(arena, notice, at + 1, length - 1));
            at += length + 1;
        } else if (*at == '[' && !has_text) {
            at += strcspn(at, "]") + 1;
        } else if (*at == '[' || *at == ']') {
            at++;
        } else {
            size_t length = strcspn(at, "{[]");
            filled = arena_printf(arena, "%s%.*s", filled, (int)length, at);
            at += length;
        }
    }
    return filled;
}

/* A type without texts of its own, or one that is newer than this table. */
static const struct texts *texts_of(NotificationType type)
{
    size_t count = sizeof texts / sizeof texts[0];
    return (size_t)type < count && texts[type].title != NULL
               ? &texts[type]
               : &texts[NOTIFICATION_TYPE_SYSTEM];
}

const char *notice_title(struct arena *arena, const struct notice *notice)
{
    const char *title = notice->title;
    if (title == NULL)
        title = fill(arena, notice, texts_of(notice->type)->title);
    return text_cut(arena, title, NOTICE_TITLE_MAX);
}

const char *notice_message(struct arena *arena, const struct notice *notice)
{
    const char *message = notice->message;
    if (message == NULL)
        message = fill(arena, notice, texts_of(notice->type)->message);
    return text_cut(arena, message, NOTICE_MESSAGE_MAX);
}

const char *notice_link(struct arena *arena, const struct notice *notice)
{
    if (notice->link != NULL || notice->object_type == NULL)
        return notice->link;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (strcmp(paths[i].type, notice->object_type) == 0)
            return arena_printf(arena, "/%s/%s", paths[i].folder,
                                notice->object_id);
    return NULL;
}
