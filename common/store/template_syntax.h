/*
 * template_syntax.h - do all rows of a template read alike as JSON, or as logfmt?
 *
 * A parser is led by quotes, brackets, commas and the like. Where none of a template's slots can hold any of these outside of what it
 * takes for one value, it does the same on every row: what it takes from the sample (the template's text with a digit in place of each
 * slot's byte) it takes from each row, there with the slots' values in it. Only plain cases are told so: strict JSON of which
 * no key holds a slot and numbers are NUM or DEC slots, and logfmt without a fault. Of the others each line is to be parsed.
 *
 * What stands in strings of QUOTED columns decides too: ask cw_template_strings() of each column once.
 *
 * Threads    Any.
 */
#ifndef CW_STORE_TEMPLATE_SYNTAX_H
#define CW_STORE_TEMPLATE_SYNTAX_H
#include <stdbool.h>
#include "common/store/layout.h"

enum cw_syntax {
    CW_SYNTAX_JSON,
    CW_SYNTAX_LOGFMT,
};

/* Write the sample (as long as the template's text; slots are where they were). False: its rows may read differently. */
bool cw_template_sample(struct cw_str text, enum cw_syntax syntax, char *sample);

/* How the strings of a column, all of them, stand in a string of either syntax. Each is worse than the one before. */
enum cw_string_form {
    CW_STRINGS_PLAIN,   /* for themselves */
    CW_STRINGS_ENCODED, /* with escapes, or bytes that are no letters */
    CW_STRINGS_OPEN,    /* one may end the string before its time, or is none of its column */
};
enum cw_string_form cw_string_form(struct cw_str text);
/* The worst of a dictionary's, in which each is ended by 0x00. `type`: STR or QUOTED. */
enum cw_string_form cw_template_strings(unsigned type, struct cw_str dictionary);

#endif
