/* strings.ToUpper, ToLower, Title. */
#include "common/template/go_case.h"

#include "common/match/regex_unicode.h"

#include "common/template/go_template_priv.h"

uint32_t cw_go_rune_to(uint32_t rune, enum cw_go_case to)
{
    if (rune < 0x80) {
        bool letter = (rune | 0x20) >= 'a' && (rune | 0x20) <= 'z';
        return !letter ? rune : to == CW_GO_LOWER ? rune | 0x20 : rune & ~0x20u;
    }
    size_t lo = 0, hi = cw_go_ncase_ranges;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        const struct cw_go_case_range *range = &cw_go_case_ranges[mid];
        if (rune < range->lo) {
            hi = mid;
        } else if (rune > range->hi) {
            lo = mid + 1;
        } else if (range->delta[to] == CW_GO_ALTERNATE) {
            return range->lo + (((rune - range->lo) & ~1u) | (to == CW_GO_LOWER ? 1 : 0));
        } else {
            return (uint32_t)((int32_t)rune + range->delta[to]);
        }
    }
    return rune;
}

/* unicode.IsSpace */
static bool is_space(uint32_t rune)
{
    return (rune >= 9 && rune <= 13) || rune == ' ' || rune == 0x85 || rune == 0xA0 ||
           rune == 0x1680 || (rune >= 0x2000 && rune <= 0x200A) || rune == 0x2028 ||
           rune == 0x2029 || rune == 0x202F || rune == 0x205F || rune == 0x3000;
}

/* Does a word begin behind this rune? As strings.Title sees it. */
static bool is_separator(uint32_t rune)
{
    if (rune < 0x80)
        return !cw_rune_is_letter(rune) && !cw_rune_is_digit(rune) && rune != '_';
    return !cw_rune_is_letter(rune) && !cw_rune_is_digit(rune) && is_space(rune);
}

void cw_go_text_to(struct cw_str s, enum cw_go_case to, struct cw_buf *out)
{
    uint32_t before = ' ';
    for (size_t at = 0, n; at < s.len; at += n) {
        uint32_t rune;
        char utf8[4];
        n = cw_utf8_decode(cw_str_sub(s, at, s.len), &rune);
        uint32_t mapped = rune;
        if (to != CW_GO_TITLE || is_separator(before))
            mapped = cw_go_rune_to(rune, to);
        before = rune;
        cw_buf_add(out, utf8, cw_utf8_encode(mapped, utf8));
    }
}
