/*
 * text_scan.h - where in a block's TEXT does a text occur: in which templates, and in which columns' dictionaries?
 */
#ifndef CW_STORE_TEXT_SCAN_H
#define CW_STORE_TEXT_SCAN_H
#include "common/match/text_search.h"
#include "common/store/layout.h"

/* TEXT of a block and what lies where in it. Borrowed. */
struct cw_block_text {
    const struct cw_layout *layout; /* its templates' texts lie in `all`, one behind the other */
    struct cw_str all;
    const struct cw_str *dictionaries; /* of each column, in `all` too; empty when it has none */
};

/* One byte each. */
struct cw_text_hits {
    uint8_t *templates, *columns;
};

/* Mark what the text occurs in (others are not touched). `first`: its first occurrence in text->all. */
void cw_text_scan(const struct cw_text_search *search, const struct cw_block_text *text,
                  const char *first, struct cw_text_hits *hits);

/* How the value that is looked for in a dictionary stands to a text. */
struct cw_dictionary_search {
    const struct cw_text_search *search; /* for the text */
    bool first, last;                    /* it begins, or ends, with the text */
};
/* Call with the numbers of all values that answer, ascending, until `found` says false. */
typedef bool (*cw_dictionary_found_fn)(void *arg, uint32_t number);
void cw_dictionary_scan(const struct cw_dictionary_search *search, struct cw_str dictionary,
                        cw_dictionary_found_fn found, void *arg);

#endif
