#include "shipper/kubernetes_store.h"
#include <stdlib.h>
#include <string.h>
#include "common/base/arena.h"

struct item {
    char *key, *text;
    size_t key_len, text_len;
    uint64_t *refs;
    size_t nrefs;
    bool put; /* since _begin() */
};

struct cw_kubernetes_store {
    struct item **items; /* by key */
    size_t n, cap;
};

static struct cw_str key_of(const struct item *item)
{
    return cw_str_make(item->key, item->key_len);
}

/* Where the key is, or belongs. */
static size_t place(const struct cw_kubernetes_store *store, struct cw_str key, bool *there_out)
{
    size_t low = 0, high = store->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = cw_str_cmp(key_of(store->items[middle]), key);
        if (order == 0) {
            *there_out = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *there_out = false;
    return low;
}

static void item_free(struct item *item)
{
    free(item->key);
    free(item->text);
    free(item->refs);
    free(item);
}

static void remove_at(struct cw_kubernetes_store *store, size_t at)
{
    item_free(store->items[at]);
    store->n--;
    memmove(store->items + at, store->items + at + 1, (store->n - at) * sizeof *store->items);
}

struct cw_kubernetes_store *cw_kubernetes_store_new(void)
{
    return cw_mem_new(sizeof(struct cw_kubernetes_store));
}

void cw_kubernetes_store_free(struct cw_kubernetes_store **store)
{
    struct cw_kubernetes_store *s = *store;
    *store = NULL;
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->n; i++)
        item_free(s->items[i]);
    free(s->items);
    free(s);
}

static struct item *insert(struct cw_kubernetes_store *store, size_t at, struct cw_str key)
{
    if (store->n == store->cap) {
        store->cap = store->cap ? 2 * store->cap : 16;
        store->items = cw_mem_resize(store->items, store->cap * sizeof *store->items);
    }
    memmove(store->items + at + 1, store->items + at, (store->n - at) * sizeof *store->items);
    store->n++;
    struct item *item = store->items[at] = cw_mem_new(sizeof *item);
    item->key = cw_str_dupz(key);
    item->key_len = key.len;
    return item;
}

bool cw_kubernetes_store_put(struct cw_kubernetes_store *store, struct cw_str key,
                             struct cw_str text)
{
    bool there;
    size_t at = place(store, key, &there);
    struct item *item = there ? store->items[at] : insert(store, at, key);
    item->put = true;
    if (there && cw_str_eq(cw_str_make(item->text, item->text_len), text))
        return false;
    free(item->text);
    item->text = cw_str_dupz(text);
    item->text_len = text.len;
    return true;
}

bool cw_kubernetes_store_remove(struct cw_kubernetes_store *store, struct cw_str key)
{
    bool there;
    size_t at = place(store, key, &there);
    if (there)
        remove_at(store, at);
    return there;
}

struct cw_str cw_kubernetes_store_get(const struct cw_kubernetes_store *store, struct cw_str key)
{
    bool there;
    size_t at = place(store, key, &there);
    return there ? cw_str_make(store->items[at]->text, store->items[at]->text_len) : CW_STR_NONE;
}

size_t cw_kubernetes_store_count(const struct cw_kubernetes_store *store)
{
    return store->n;
}

struct cw_str cw_kubernetes_store_at(const struct cw_kubernetes_store *store, size_t at,
                                     struct cw_str *key_out)
{
    const struct item *item = store->items[at];
    *key_out = key_of(item);
    return cw_str_make(item->text, item->text_len);
}

void cw_kubernetes_store_refer(struct cw_kubernetes_store *store, struct cw_str key,
                               const uint64_t *refs, size_t n)
{
    bool there;
    size_t at = place(store, key, &there);
    if (!there)
        return;
    struct item *item = store->items[at];
    item->refs = cw_mem_resize(item->refs, (n + 1) * sizeof *refs);
    if (n > 0)
        memcpy(item->refs, refs, n * sizeof *refs);
    item->nrefs = n;
}

bool cw_kubernetes_store_refers(const struct cw_kubernetes_store *store, size_t at, uint64_t ref)
{
    const struct item *item = store->items[at];
    for (size_t i = 0; i < item->nrefs; i++)
        if (item->refs[i] == ref)
            return true;
    return false;
}

void cw_kubernetes_store_begin(struct cw_kubernetes_store *store)
{
    for (size_t i = 0; i < store->n; i++)
        store->items[i]->put = false;
}

void cw_kubernetes_store_sweep(struct cw_kubernetes_store *store,
                               void (*gone)(void *arg, struct cw_str key), void *arg)
{
    for (size_t i = 0; i < store->n;) {
        struct item *item = store->items[i];
        if (item->put) {
            i++;
            continue;
        }
        char *key = item->key; /* taken: it is told when it is no longer to be found */
        struct cw_str text = key_of(item);
        item->key = NULL;
        remove_at(store, i);
        gone(arg, text);
        free(key);
    }
}
