#include "common/store/text_scan.h"

static const char *end_of(struct cw_str s)
{
    return s.ptr + s.len;
}

void cw_text_scan(const struct cw_text_search *search, const struct cw_block_text *text,
                  const char *first, struct cw_text_hits *hits)
{
    const struct cw_layout *layout = text->layout;
    const char *end = end_of(text->all);
    uint32_t t = 0, c = 0;
    for (const char *hit = first, *at; hit != NULL;
         hit = cw_text_search_find(search, at, (size_t)(end - at))) {
        while (t < layout->ntemplates && end_of(layout->templates[t].text) < hit)
            t++;
        if (t < layout->ntemplates) {
            hits->templates[t] = 1;
            at = end_of(layout->templates[t].text);
            continue;
        }
        while (c < layout->ncolumns &&
               (text->dictionaries[c].len == 0 || end_of(text->dictionaries[c]) <= hit))
            c++;
        if (c == layout->ncolumns)
            return;
        hits->columns[c] = 1;
        at = end_of(text->dictionaries[c]);
    }
}

/* How many values end in the text. */
static uint32_t count_ends(const char *at, const char *end)
{
    uint32_t n = 0;
    for (; at < end; at++)
        n += *at == 0;
    return n;
}

void cw_dictionary_scan(const struct cw_dictionary_search *search, struct cw_str dictionary,
                        cw_dictionary_found_fn found, void *arg)
{
    const char *at = dictionary.ptr, *end = dictionary.ptr + dictionary.len;
    size_t len = search->search->needle.len;
    const char *counted = at; /* values before it are in `number` */
    uint32_t number = 0;
    while (at < end) {
        const char *hit = cw_text_search_find(search->search, at, (size_t)(end - at));
        if (hit == NULL || hit + len >= end) /* the last byte ends the last value */
            return;
        bool first = hit == dictionary.ptr || hit[-1] == 0;
        if ((search->first && !first) || (search->last && hit[len] != 0)) {
            at = hit + 1;
            continue;
        }
        number += count_ends(counted, hit);
        counted = hit;
        if (!found(arg, number))
            return;
        const char *value_end = memchr(hit, 0, (size_t)(end - hit));
        if (value_end == NULL)
            return;
        at = value_end + 1;
    }
}
