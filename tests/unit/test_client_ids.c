#include <criterion/criterion.h>
#include <stdio.h>
#include "shipper/client_ids.h"

/* A list of clients, each "name selector-or-minus external-label-value". */
struct list {
    struct cw_client_config configs[4];
    struct cw_config_pair labels[4];
    struct cw_config_tables tables;
};

static struct cw_config_tables *of(struct list *list, const char *const *clients)
{
    memset(list, 0, sizeof *list);
    for (size_t i = 0; clients[i] != NULL; i++) {
        struct cw_str rest = cw_str_of(clients[i]), selector;
        struct cw_client_config *config = &list->configs[i];
        cr_assert(cw_str_split(&rest, ' ', &config->name) && cw_str_split(&rest, ' ', &selector));
        if (!cw_str_eqz(selector, "-"))
            config->selector = selector;
        list->labels[i] = (struct cw_config_pair){CW_STR("dc"), rest};
        config->external_labels = (struct cw_config_map){&list->labels[i], rest.len > 0};
        list->tables.n++;
    }
    list->tables.items = list->configs;
    return &list->tables;
}

static unsigned char ndrawn;

static void draw(struct cw_id128 *out)
{
    *out = (struct cw_id128){{++ndrawn}};
}

/* From start to start; the ids' first bytes. */
#define STARTS_MAX 4
static const struct {
    const char *what;
    const char *const starts[STARTS_MAX][4];
    const unsigned char want[STARTS_MAX][3];
} rows[] = {
    {"one has the uuid itself", {{"a - "}}, {{0}}},
    {"two that send the same share it", {{"a - x", "b - x"}}, {{0, 0}}},
    {"two that do not are apart", {{"a {l=\"i\"} ", "b {l=\"e\"} ", "c - x"}}, {{0, 1, 2}}},
    {"they stay who they are in another order",
     {{"a - x", "b - y"}, {"b - y", "a - x"}},
     {{0, 1}, {1, 0}}},
    {"under other names", {{"h - x", "h-1 - y"}, {"h - y", "i - x"}}, {{0, 1}, {1, 0}}},
    {"the other one is removed: its marks are not taken for one's own",
     {{"h - x", "h-1 - y"}, {"h - y"}},
     {{0, 1}, {1}}},
    {"edited", {{"a - x", "b - y"}, {"a - z", "b {l=\"i\"} y"}}, {{0, 1}, {0, 1}}},
    {"edited and renamed", {{"a - x", "b - y"}, {"c - z", "b - y"}}, {{0, 1}, {0, 1}}},
    {"one that is added begins anew",
     {{"a - x"}, {"b - y", "a - x"}, {"b - y", "c - z", "a - x"}},
     {{0}, {1, 0}, {1, 2, 0}}},
    {"what sent the same and does no more is parted from it",
     {{"a - x", "b - x"}, {"a - x", "b - y"}},
     {{0, 0}, {0, 1}}},
    {"one that is gone is not waited for",
     {{"a - x", "b - y"}, {"b - y"}, {"b - y", "a - x"}},
     {{0, 1}, {1}, {1, 2}}},
};

Test(client_ids, clients_keep_their_marks)
{
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        struct cw_arena *arena = cw_arena_new();
        struct cw_known_client *known = NULL;
        size_t nknown = 0;
        ndrawn = 0;
        for (size_t s = 0; s < STARTS_MAX && rows[r].starts[s][0] != NULL; s++) {
            struct list list;
            const struct cw_config_tables *clients = of(&list, rows[r].starts[s]);
            known = cw_client_ids_match(known, nknown, clients, arena, draw);
            nknown = clients->n;
            for (size_t i = 0; i < nknown; i++) {
                cr_expect_eq(known[i].id.bytes[0], rows[r].want[s][i],
                             "%s: start %zu, client %zu: %u", rows[r].what, s, i,
                             known[i].id.bytes[0]);
                known[i].name = cw_arena_dup(arena, known[i].name);
            }
        }
        cw_arena_free(&arena);
    }
}

Test(client_ids, each_pushes_under_an_uuid_of_its_own)
{
    struct cw_id128 shipper = {{0x12, 0x34}}, none = {0}, id = {{0xf0, 1, [15] = 9}};
    struct cw_id128 first = cw_client_uuid(&shipper, &none), second = cw_client_uuid(&shipper, &id);
    cr_assert_eq(memcmp(&first, &shipper, sizeof first), 0);
    cr_assert(second.bytes[0] == 0xe2 && second.bytes[1] == 0x35 && second.bytes[15] == 9);
}

Test(client_ids, each_tenant_that_entries_name_is_kept_apart)
{
    struct cw_id128 client = {{7}}, own = cw_client_tenant_id(&client, CW_STR(""));
    struct cw_id128 a = cw_client_tenant_id(&client, CW_STR("a")),
                    b = cw_client_tenant_id(&client, CW_STR("b"));
    struct cw_id128 again = cw_client_tenant_id(&client, CW_STR("a"));
    cr_assert_eq(memcmp(&own, &client, sizeof own), 0);
    cr_assert_neq(memcmp(&a, &client, sizeof a), 0);
    cr_assert_neq(memcmp(&a, &b, sizeof a), 0);
    cr_assert_eq(memcmp(&a, &again, sizeof a), 0, "at every start");
}

Test(client_ids, clients_of_other_tenants_do_not_send_the_same)
{
    struct list list;
    const char *const names[] = {"a - x", "b - x", NULL};
    struct cw_arena *arena = cw_arena_new();
    ndrawn = 0;
    struct cw_config_tables *clients = of(&list, names);
    list.configs[1].tenant_id = CW_STR("t");
    struct cw_known_client *known = cw_client_ids_match(NULL, 0, clients, arena, draw);
    cr_assert(known[0].id.bytes[0] == 0 && known[1].id.bytes[0] == 1);
    cw_arena_free(&arena);
}
