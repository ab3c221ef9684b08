/* An expression, a newline, a line of JSON: both end, and a plain path in a set finds what it finds alone. */
#include "common/base/assert.h"
#include "common/extract/jmespath.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_str rest = cw_str_make(data, size),
                  texts[4] = {CW_STR("a"), CW_STR("a.b[1]"), CW_STR("*.c | [0]")};
    struct cw_jmespath_set *set, *alone;
    struct cw_jmespath_result results[4], single;
    if (!cw_str_split(&rest, '\n', &texts[3]))
        return 0;
    if (cw_jmespath_set_new(&texts[3], 1, &alone, NULL) < 0)
        return 0;
    CW_ASSERT(cw_jmespath_set_new(texts, 4, &set, NULL) == 0);
    struct cw_arena *arena = cw_arena_new();
    bool found = cw_jmespath_set_search(set, rest, arena, results);
    bool found_alone = cw_jmespath_set_search(alone, rest, arena, &single);
    if (found) {
        CW_ASSERT(found_alone && single.type == results[3].type);
        CW_ASSERT(cw_str_eq(single.text, results[3].text));
    }
    cw_arena_free(&arena);
    cw_jmespath_set_free(&set);
    cw_jmespath_set_free(&alone);
    return 0;
}
