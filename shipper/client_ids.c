#include "shipper/client_ids.h"
#include <stdlib.h>
#include "common/base/hash.h"
#include "shipper/targets.h"

static bool id_eq(const struct cw_id128 *a, const struct cw_id128 *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* External labels count by their names' order, whatever that of the configuration. */
static uint64_t sends_of(const struct cw_client_config *config)
{
    struct cw_labels external = cw_labels_from_map(&config->external_labels);
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_buf_add(&text, config->selector.ptr, config->selector.len);
    for (size_t i = 0; i < external.n; i++) {
        cw_buf_addc(&text, '\0');
        cw_buf_add(&text, external.items[i].name.ptr, external.items[i].name.len);
        cw_buf_addc(&text, '\0');
        cw_buf_add(&text, external.items[i].value.ptr, external.items[i].value.len);
    }
    if (config->tenant_id.len > 0) { /* entries that name it are its own too */
        cw_buf_addc(&text, '\0');
        cw_buf_add(&text, config->tenant_id.ptr, config->tenant_id.len);
    }
    uint64_t hash = cw_hash64(text.ptr, text.len);
    cw_buf_fini(&text);
    free((void *)external.items);
    return hash;
}

struct matching {
    const struct cw_known_client *known;
    size_t nknown;
    struct cw_known_client *clients;
    bool *has_id; /* of the clients */
    size_t n;
};

static bool is_free(const struct matching *m, const struct cw_id128 *id)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->has_id[i] && id_eq(&m->clients[i].id, id))
            return false;
    return true;
}

/* All that send the same have it. */
static void give(struct matching *m, uint64_t sends, struct cw_id128 id)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->clients[i].sends == sends) {
            m->clients[i].id = id;
            m->has_id[i] = true;
        }
}

enum likeness { SENDS_THE_SAME, HAS_THE_NAME, IS_NO_MORE };

static void match(struct matching *m, enum likeness likeness)
{
    for (size_t i = 0; i < m->n; i++) {
        const struct cw_known_client *client = &m->clients[i];
        for (size_t k = 0; k < m->nknown && !m->has_id[i]; k++) {
            const struct cw_known_client *known = &m->known[k];
            if ((likeness == SENDS_THE_SAME && known->sends != client->sends) ||
                (likeness == HAS_THE_NAME && !cw_str_eq(known->name, client->name)))
                continue;
            if (is_free(m, &known->id))
                give(m, client->sends, known->id);
        }
    }
}

struct cw_known_client *cw_client_ids_match(const struct cw_known_client *known, size_t nknown,
                                            const struct cw_config_tables *clients,
                                            struct cw_arena *arena,
                                            void (*draw)(struct cw_id128 *out))
{
    const struct cw_client_config *configs = clients->items;
    struct matching m = {.known = known,
                         .nknown = nknown,
                         .n = clients->n,
                         .clients = CW_ARENA_ARRAY(arena, struct cw_known_client, clients->n),
                         .has_id = CW_ARENA_ARRAY(arena, bool, clients->n)};
    for (size_t i = 0; i < m.n; i++) {
        m.clients[i] =
            (struct cw_known_client){.sends = sends_of(&configs[i]), .name = configs[i].name};
        m.has_id[i] = false;
    }
    match(&m, SENDS_THE_SAME);
    match(&m, HAS_THE_NAME);
    match(&m, IS_NO_MORE);
    for (size_t i = 0; i < m.n; i++) {
        struct cw_id128 id = {0};
        if (m.has_id[i])
            continue;
        if (i > 0 || nknown > 0)
            draw(&id);
        give(&m, m.clients[i].sends, id);
    }
    return m.clients;
}

struct cw_id128 cw_client_tenant_id(const struct cw_id128 *client, struct cw_str tenant)
{
    struct cw_hash128 hash = cw_hash128(tenant.ptr, tenant.len);
    struct cw_id128 id = {0};
    if (tenant.len > 0)
        memcpy(id.bytes, &hash, sizeof id.bytes);
    return cw_client_uuid(client, &id);
}

struct cw_id128 cw_client_uuid(const struct cw_id128 *shipper, const struct cw_id128 *id)
{
    struct cw_id128 uuid;
    for (size_t i = 0; i < sizeof uuid.bytes; i++)
        uuid.bytes[i] = shipper->bytes[i] ^ id->bytes[i];
    return uuid;
}
