#include "querier/cli/printed.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/hash.h"

enum { BUCKETS = CW_PRINTED_MAX };

struct printed_entry {
    uint64_t hash;
    int64_t ts_ns;
    uint32_t next;             /* index + 1 of the next one in its bucket */
    uint32_t nprinted, ngiven; /* ngiven: by `source` */
    uint64_t source;
};

struct cw_printed {
    struct printed_entry entries[CW_PRINTED_MAX]; /* a ring */
    uint32_t buckets[BUCKETS];                    /* index + 1; 0: empty */
    size_t n;                                     /* ever */
    uint64_t source;
    int64_t newest_ns;
    int64_t forgotten_ns; /* the newest time of what fell off the ring */
    bool forgot;
};

struct cw_printed *cw_printed_new(void)
{
    return cw_mem_new(sizeof(struct cw_printed));
}

void cw_printed_free(struct cw_printed **printed)
{
    free(*printed);
    *printed = NULL;
}

void cw_printed_source(struct cw_printed *printed)
{
    printed->source++;
}

static uint64_t hash_of(int64_t ts_ns, struct cw_labels labels, struct cw_str line)
{
    uint64_t parts[] = {(uint64_t)ts_ns, cw_labels_hash(labels).lo, cw_labels_hash(labels).hi,
                        cw_hash64(line.ptr, line.len)};
    return cw_hash64(parts, sizeof parts);
}

static struct printed_entry *find(struct cw_printed *printed, uint64_t hash)
{
    for (uint32_t at = printed->buckets[hash % BUCKETS]; at > 0;) {
        struct printed_entry *entry = &printed->entries[at - 1];
        if (entry->hash == hash)
            return entry;
        at = entry->next;
    }
    return NULL;
}

static void forget(struct cw_printed *printed, const struct printed_entry *entry)
{
    uint32_t index = (uint32_t)(entry - printed->entries) + 1;
    uint32_t *at = &printed->buckets[entry->hash % BUCKETS];
    while (*at != index)
        at = &printed->entries[*at - 1].next;
    *at = entry->next;
    printed->forgotten_ns =
        printed->forgot ? CW_MAX(printed->forgotten_ns, entry->ts_ns) : entry->ts_ns;
    printed->forgot = true;
}

static struct printed_entry *add(struct cw_printed *printed, uint64_t hash, int64_t ts_ns)
{
    uint32_t index = (uint32_t)(printed->n % CW_PRINTED_MAX);
    struct printed_entry *entry = &printed->entries[index];
    if (printed->n >= CW_PRINTED_MAX)
        forget(printed, entry);
    printed->newest_ns = printed->n > 0 ? CW_MAX(printed->newest_ns, ts_ns) : ts_ns;
    printed->n++;
    *entry = (struct printed_entry){.hash = hash,
                                    .ts_ns = ts_ns,
                                    .next = printed->buckets[hash % BUCKETS],
                                    .source = printed->source};
    printed->buckets[hash % BUCKETS] = index + 1;
    return entry;
}

bool cw_printed_take(struct cw_printed *printed, int64_t ts_ns, struct cw_labels labels,
                     struct cw_str line)
{
    uint64_t hash = hash_of(ts_ns, labels, line);
    struct printed_entry *entry = find(printed, hash);
    if (entry == NULL)
        entry = add(printed, hash, ts_ns);
    if (entry->source != printed->source)
        entry->ngiven = 0;
    entry->source = printed->source;
    entry->ngiven++;
    bool is_new = entry->ngiven > entry->nprinted;
    entry->nprinted += is_new;
    return is_new;
}

bool cw_printed_resume(const struct cw_printed *printed, int64_t back_ns, int64_t *start_ns_out)
{
    if (printed->n == 0)
        return false;
    int64_t start_ns =
        printed->newest_ns < INT64_MIN + back_ns ? INT64_MIN : printed->newest_ns - back_ns;
    /* What is forgotten would be printed again. */
    if (printed->forgot && start_ns <= printed->forgotten_ns)
        start_ns = CW_MIN(printed->forgotten_ns + 1, printed->newest_ns);
    *start_ns_out = start_ns;
    return true;
}
