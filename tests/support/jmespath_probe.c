/*
 * The C side of test_jmespath_python.py: reads "EXPRESSION LINE" in hex, one a line, and prints what the expression gives of the
 * line: "M" (no JSON object), or a letter (e it does not compile, x it failed, n null, s f b j) and the text in hex.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/extract/jmespath.h"

static struct cw_str unhex(const char *z, struct cw_arena *arena)
{
    size_t n = strlen(z) / 2;
    char *bytes = cw_arena_alloc(arena, n);
    for (size_t i = 0; i < n; i++) {
        unsigned value;
        if (sscanf(z + 2 * i, "%2x", &value) != 1)
            exit(2);
        bytes[i] = (char)value;
    }
    return cw_str_make(bytes, n);
}

static void print_hex(char kind, struct cw_str text)
{
    printf("%c ", kind);
    for (size_t i = 0; i < text.len; i++)
        printf("%02x", (unsigned char)text.ptr[i]);
    putchar('\n');
}

static void answer(struct cw_str expression, struct cw_str line, struct cw_arena *arena)
{
    static struct cw_err err;
    struct cw_jmespath_set *set;
    struct cw_jmespath_result result;
    if (cw_jmespath_set_new(&expression, 1, &set, &err) < 0) {
        print_hex('e', cw_str_of(err.text));
        return;
    }
    if (cw_jmespath_set_search(set, line, arena, &result))
        print_hex("xnsfbj"[result.type], result.text);
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
        answer(unhex(expression, arena), unhex(line, arena), arena);
        cw_arena_free(&arena);
    }
    return 0;
}
