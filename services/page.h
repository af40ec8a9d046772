#ifndef PRBAL_SERVICES_PAGE_H
#define PRBAL_SERVICES_PAGE_H

#include "db/db.h"

/* Paging by key, with tokens that clients cannot read meaning into.
 *
 * A list statement reads on from the keys of the row that was last answered,
 * `(created_at, bid_id) < ($3, $4)`, so rows that come and go between two pages
 * move nobody else.  The token carries those keys and a MAC over them, the
 * method, the caller and every field of the request but page_size, page_token
 * and read_mask: a token that was forged, kept over a change of the server's
 * secret, or moved to another filter, order, method or person is
 * INVALID_ARGUMENT on page_token with reason PAGE_TOKEN_INVALID.
 *
 *     struct page page;
 *     TRY(page_open(call, &req->base, 12, &page));
 *     TRY(db_many(call->db, &bid_list, &res->n_bids, &res->bids,
 *                 db_text(call->caller.id), page_time(&page, 0),
 *                 page_text(&page, 1), page_limit(&page)));
 *     if (page_cut(&page, &res->n_bids)) {
 *         const Bid *last = res->bids[res->n_bids - 1];
 *         res->next_page_token =
 *             page_next(call, &page, page_time_key(call, last->create_time),
 *                       last->bid_id);
 *     }
 *
 * with `limit $5` in the statement and, since the keys are null on the first
 * page, `($3::timestamptz is null or (created_at, bid_id) < ($3, $4))`. */
enum { PAGE_KEYS_MAX = 4, PAGE_KEY_BYTES_MAX = 120, PAGE_SIZE_MAX = 100 };

struct page {
    int size;      /* rows to answer */
    int key_count; /* 0 on the first page */
    const char *keys[PAGE_KEYS_MAX];
    uint8_t binding[32]; /* what a token must have been made for */
};

/* Reads `page_size` and `page_token` of a request message that has them.
 * `default_size` stands for a page_size of 0. */
rpc_status page_open(struct rpc_call *call, const ProtobufCMessage *request,
                     int default_size, struct page *page);

/* NULL when there is no such key. */
const char *page_key(const struct page *page, int index);

/* The same as statement arguments: null when there is no such key. */
db_arg page_text(const struct page *page, int index);
db_arg page_time(const struct page *page, int index); /* of page_time_key() */

/* How many rows to read: one more than are answered, which tells whether there
 * is a next page. */
db_arg page_limit(const struct page *page);

/* Cuts `*count` rows to the page; true when there was one more. */
bool page_cut(const struct page *page, size_t *count);

/* A moment as a key: all of its microseconds. */
const char *page_time_key(struct rpc_call *call,
                          const Google__Protobuf__Timestamp *time);

/* The token of the page behind the row with these keys, which are texts of at
 * most PAGE_KEY_BYTES_MAX bytes; in the call's arena. */
#define page_next(call, page, ...)                                 \
    page_next_keys(call, page, (const char *const[]){__VA_ARGS__}, \
                   sizeof((const char *const[]){__VA_ARGS__}) /    \
                       sizeof(char *))
char *page_next_keys(struct rpc_call *call, const struct page *page,
                     const char *const *keys, size_t count);

/* The key of the MACs.  It is derived from the installation's secret at the
 * first use unless this was called before; for tests. */
void page_use_key(const uint8_t key[32]);

#endif
