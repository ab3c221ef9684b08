/*
 * conformance.h - the recorded answers of tests/conformance for unit tests that need no server.
 *
 * Ownership  What conformance_load() returns is freed with json_decref().
 */
#ifndef CW_TESTS_CONFORMANCE_H
#define CW_TESTS_CONFORMANCE_H
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/base/buf.h"

/* The base time T of the cases here: on the hour. */
#define CONFORMANCE_T_S INT64_C(1767600000)

/* A JSON file of tests/conformance, by its path there; ends the test when it cannot be read. */
static inline json_t *conformance_load(const char *name)
{
    const char *data = getenv("CW_TEST_DATA");
    char path[4096];
    json_error_t error;
    snprintf(path, sizeof(path), "%s/../conformance/%s", data != NULL ? data : "tests/data", name);
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (root == NULL) {
        fprintf(stderr, "%s:%d: %s\n", path, error.line, error.text);
        abort();
    }
    return root;
}

/* Nanoseconds of a decimal number of seconds such as "7200.001" or "-5". */
static inline int64_t conformance_seconds(const char *text, size_t len)
{
    int64_t whole = 0, fraction = 0, scale = 1000000000;
    size_t i = 0;
    int negative = len > 0 && text[0] == '-';
    for (i = len > 0 && (text[0] == '-' || text[0] == '+'); i < len && text[i] != '.'; i++)
        whole = whole * 10 + (text[i] - '0');
    for (i++; i < len; i++) {
        scale /= 10;
        fraction += (text[i] - '0') * scale;
    }
    int64_t ns = whole * 1000000000 + fraction;
    return negative ? -ns : ns;
}

/* `text` with <repeat:x:9> written out; freed by the caller. */
static inline char *conformance_expand(const char *text)
{
    struct cw_buf out;
    size_t len;
    cw_buf_init(&out, (size_t)1 << 24);
    for (const char *at = text; *at != '\0';) {
        int used = 0;
        unsigned times = 0;
        char what = 0;
        if (sscanf(at, "<repeat:%c:%u>%n", &what, &times, &used) == 2 && used > 0) {
            for (unsigned i = 0; i < times; i++)
                cw_buf_addc(&out, what);
            at += used;
        } else {
            cw_buf_addc(&out, *at++);
        }
    }
    cw_buf_z(&out);
    return cw_buf_take(&out, &len);
}

/* The query of a case, expanded; NULL when it has none. */
static inline char *conformance_query(const json_t *test)
{
    const json_t *params = json_object_get(test, "params");
    const char *query = json_string_value(json_object_get(params, "query"));
    return query != NULL ? conformance_expand(query) : NULL;
}

#endif
