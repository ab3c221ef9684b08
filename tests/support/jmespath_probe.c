/*
 * The C side of test_jmespath_python.py: reads "EXPRESSION LINE" in hex, one a line, and prints what the expression gives of the
 * line: "M" (no JSON object), or a letter (e it does not compile, x it failed, n null, s f b j) and the text in hex.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/extract/jmespath.h"
#include "tests/support/probe.h"

static void answer(struct cw_str expression, struct cw_str line, struct cw_arena *arena)
{
    static struct cw_err err;
    struct cw_jmespath_set *set;
    struct cw_jmespath_result result;
    if (cw_jmespath_set_new(&expression, 1, &set, &err) < 0) {
        probe_print('e', cw_str_of(err.text));
        return;
    }
    if (cw_jmespath_set_search(set, line, arena, &result))
        probe_print("xnsfbj"[result.type], result.text);
    else
        puts("M");
    cw_jmespath_set_free(&set);
}

int main(void)
{
    static char input[1 << 20], expression[1 << 16], line[1 << 19];
    while (fgets(input, sizeof input, stdin) != NULL) {
        if (sscanf(input, "%65535s %524287s", expression, line) != 2)
            return 2;
        struct cw_arena *arena = cw_arena_new();
        answer(probe_unhex(expression, arena), probe_unhex(line, arena), arena);
        cw_arena_free(&arena);
    }
    return 0;
}
