/*
 * text_search.h - find a text in a large one, at the speed of memory.
 *
 * Compares the needle's two rarest bytes (by how often bytes occur in logs) at their distance, 32 places at a time with AVX2
 * where the machine has it, 16 with SSE2 otherwise; only where both agree the whole needle is compared.
 *
 * Ownership  A search borrows its needle.
 * Threads    Read-only after _init(); shared freely.
 */
#ifndef CW_MATCH_TEXT_SEARCH_H
#define CW_MATCH_TEXT_SEARCH_H
#include <stdbool.h>
#include "common/base/str.h"

struct cw_text_search;
typedef const char *(*cw_text_search_fn)(const struct cw_text_search *search, const char *text,
                                         size_t len);

struct cw_text_search {
    struct cw_str needle;
    bool nocase; /* ASCII letters up to case; the needle's are small */
    /* Of the rare bytes, off[0] < off[1] (equal when the needle has one byte). */
    size_t off[2];
    unsigned char byte[2];
    unsigned char mask[2]; /* 0x20 where the byte is a letter and case does not count, else 0 */
    cw_text_search_fn find;
};

/* With `nocase` the needle must hold no large ASCII letter. An empty needle is found at the start. */
void cw_text_search_init(struct cw_text_search *search, struct cw_str needle, bool nocase);

/* The first occurrence in text[0, len), or NULL. */
static inline const char *cw_text_search_find(const struct cw_text_search *search, const char *text,
                                              size_t len)
{
    return search->find(search, text, len);
}

/* The ways a search may be done, for tests and benchmarks: init picks the best of them. */
enum cw_text_search_way { CW_TEXT_SEARCH_PLAIN, CW_TEXT_SEARCH_SSE2, CW_TEXT_SEARCH_AVX2 };
/* False when this machine does not have it. */
bool cw_text_search_use(struct cw_text_search *search, enum cw_text_search_way way);

#endif
