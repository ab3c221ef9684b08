/* Any line through all detectors: the pass finds what a look at every byte finds; and as a line of a private key that began before. */
#include "common/base/assert.h"
#include "common/pipeline/redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cw_redact *all_detectors(void)
{
    struct cw_redact_rule rules[CW_REDACT_RULES];
    struct cw_redact_options options = {.rules = rules};
    struct cw_redact *redact;
    for (const char *name; (name = cw_redact_detector(options.nrules, NULL)) != NULL;)
        rules[options.nrules++] =
            (struct cw_redact_rule){cw_str_of(name), .action = CW_REDACT_MASK};
    CW_ASSERT(cw_redact_new(&options, &redact, NULL) == 0);
    return redact;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cw_redact *fast, *slow;
    if (fast == NULL) {
        fast = all_detectors();
        slow = all_detectors();
        cw_redact_exhaustive(slow);
    }
    struct cw_arena *arena = cw_arena_new();
    struct cw_str line = cw_str_make(data, size);
    size_t nfast, nslow;
    struct cw_str a = cw_redact_line(fast, line, false, arena, &nfast);
    struct cw_str b = cw_redact_line(slow, line, false, arena, &nslow);
    CW_ASSERT(nfast == nslow && cw_str_eq(a, b));
    CW_ASSERT(a.len == line.len); /* a mask keeps the shape */
    size_t column = size > 0 ? data[0] : 0;
    enum cw_redact_key_line is;
    size_t nkey;
    if (cw_redact_key_opens(fast, line, &column))
        CW_ASSERT(nfast > 0 && column < size);
    struct cw_str c = cw_redact_key_line(fast, line, column, false, arena, &nkey, &is);
    struct cw_str d = cw_redact_key_line(slow, line, column, false, arena, &nslow, &is);
    CW_ASSERT(nkey == nslow && cw_str_eq(c, d));
    CW_ASSERT(c.len == line.len && (nkey > 0) == (c.ptr != line.ptr));
    CW_ASSERT(nkey > 0 || (is == CW_REDACT_KEY_OTHER && nfast == 0));
    /* What is hidden without a key is hidden within one. */
    for (size_t i = 0; i < size; i++)
        CW_ASSERT(a.ptr[i] == line.ptr[i] || c.ptr[i] != line.ptr[i]);
    cw_arena_free(&arena);
    return 0;
}
