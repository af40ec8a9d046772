#include "rpc/memory_share.h"

#include <assert.h>
#include <stdlib.h>

enum { BUCKET_COUNT = 1024 };

struct memory_share {
    struct memory_shares *shares;
    struct memory_share *next;
    uint64_t key;
    uint64_t bytes;
    uint32_t references;
};

struct memory_shares {
    uint64_t bytes_max;
    struct memory_share *buckets[BUCKET_COUNT];
};

struct memory_shares *memory_shares_create(uint64_t bytes_max)
{
    struct memory_shares *shares = calloc(1, sizeof *shares);
    if (shares == NULL)
        abort();
    shares->bytes_max = bytes_max;
    return shares;
}

void memory_shares_destroy(struct memory_shares *shares)
{
    for (int i = 0; shares != NULL && i < BUCKET_COUNT; i++)
        assert(shares->buckets[i] == NULL);
    free(shares);
}

/* Where the key's share is, or the end of its bucket.  Chains stay short: there
 * are fewer addresses than connections. */
static struct memory_share **find(struct memory_shares *shares, uint64_t key)
{
    uint64_t mixed = key * 0x9e3779b97f4a7c15u;
    struct memory_share **at = &shares->buckets[mixed >> 54];
    while (*at != NULL && (*at)->key != key)
        at = &(*at)->next;
    return at;
}

struct memory_share *memory_share_open(struct memory_shares *shares,
                                       uint64_t key)
{
    if (key == 0)
        return NULL;
    struct memory_share **at = find(shares, key);
    if (*at == NULL) {
        *at = calloc(1, sizeof **at);
        if (*at == NULL)
            abort();
        (*at)->shares = shares;
        (*at)->key = key;
    }
    return memory_share_hold(*at);
}

struct memory_share *memory_share_hold(struct memory_share *share)
{
    if (share != NULL)
        share->references++;
    return share;
}

void memory_share_release(struct memory_share *share)
{
    if (share == NULL || --share->references > 0)
        return;
    assert(share->bytes == 0);
    *find(share->shares, share->key) = share->next;
    free(share);
}

bool memory_share_take(struct memory_share *share, size_t bytes)
{
    if (share == NULL)
        return true;
    if (share->bytes + bytes > share->shares->bytes_max)
        return false;
    share->bytes += bytes;
    return true;
}

void memory_share_give(struct memory_share *share, size_t bytes)
{
    if (share == NULL)
        return;
    assert(bytes <= share->bytes);
    share->bytes -= bytes;
}
