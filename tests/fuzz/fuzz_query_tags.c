/*
 * Any bytes as the header X-Query-Tags, against a rule of blocked_queries: one tag more decides it whatever stands before, no header without an
 * '=' is one, and letters count up to case.
 */
#include <ctype.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/logql/ast.h"
#include "querier/api/query_policy.h"

static struct cw_query_policy *policy;
static struct cw_query *query;
static const struct cw_str text = CW_STR("{app=\"a\"}");

static void policy_make(void)
{
    const struct cw_query_tag tags[] = {{CW_STR("Source"), CW_STR("logcli")},
                                        {CW_STR("user"), CW_STR("a@b.c")}};
    const struct cw_blocked_query rules[] = {
        {.pattern = CW_STR(".*"), .regex = true, .tags = tags, .ntags = CW_COUNT(tags)}};
    const struct cw_query_policy_options options = {.blocked = rules, .nblocked = 1};
    struct cw_err err;
    CW_ASSERT(cw_query_policy_new(&options, &policy, &err) == 0);
    CW_ASSERT(cw_logql_parse(text, &query, &err) == 0);
}

static bool blocks(struct cw_str header)
{
    struct cw_err err;
    int rc = cw_query_policy_blocked(policy, text, query->root, header, &err);
    CW_ASSERT(rc == 0 || rc == CW_E_LIMIT);
    return rc < 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_str header = cw_str_make(data, size);
    struct cw_buf changed;
    if (policy == NULL)
        policy_make();
    bool blocked = blocks(header);
    CW_ASSERT(!blocked ||
              (cw_str_find_byte(header, '=') >= 0 && cw_str_find_byte(header, ',') >= 0));
    cw_buf_init(&changed, SIZE_MAX);
    for (size_t i = 0; i < size; i++)
        cw_buf_addc(&changed, (char)(data[i] < 0x80 ? toupper(data[i]) : data[i]));
    CW_ASSERT(blocks(cw_buf_str(&changed)) == blocked);
    cw_buf_clear(&changed);
    cw_buf_adds(&changed, header);
    cw_buf_adds(&changed, CW_STR(",source=LogCLI,USER=a@b.c"));
    CW_ASSERT(blocks(cw_buf_str(&changed)));
    cw_buf_fini(&changed);
    return 0;
}
