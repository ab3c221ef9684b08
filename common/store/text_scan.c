#include "common/store/text_scan.h"

/* The templates' front part of TEXT; returns its end. */
static const char *scan_templates(const struct cw_text_search *search,
                                  const struct cw_block_text *text, uint8_t *hits, bool *any)
{
    const struct cw_layout *layout = text->layout;
    if (layout->ntemplates == 0)
        return text->all.ptr;
    struct cw_str last = layout->templates[layout->ntemplates - 1].text;
    const char *at = text->all.ptr, *end = last.ptr + last.len;
    for (uint32_t t = 0; at < end;) {
        const char *hit = cw_text_search_find(search, at, (size_t)(end - at));
        if (hit == NULL)
            break;
        while (layout->templates[t].text.ptr + layout->templates[t].text.len < hit)
            t++;
        hits[t] = 1;
        *any = true;
        at = layout->templates[t].text.ptr + layout->templates[t].text.len + 1;
    }
    return end;
}

bool cw_text_scan(const struct cw_text_search *search, const struct cw_block_text *text,
                  struct cw_text_hits *hits)
{
    bool any = false;
    const char *at = scan_templates(search, text, hits->templates, &any);
    const char *end = text->all.ptr + text->all.len;
    for (uint32_t c = 0; at < end;) {
        const char *hit = cw_text_search_find(search, at, (size_t)(end - at));
        if (hit == NULL)
            break;
        for (; c < text->layout->ncolumns; c++) {
            struct cw_str dictionary = text->dictionaries[c];
            if (dictionary.len > 0 && hit < dictionary.ptr + dictionary.len)
                break;
        }
        if (c == text->layout->ncolumns)
            break;
        hits->columns[c] = 1;
        any = true;
        at = text->dictionaries[c].ptr + text->dictionaries[c].len;
    }
    return any;
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
