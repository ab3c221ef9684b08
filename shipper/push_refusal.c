#include "shipper/push_refusal.h"
#include "common/base/assert.h"
#include "shipper/batch.h"

/* ---- texts ---- */

/* Behind the string in double quotes that begins at `at`: values of labels may say anything. */
static size_t quoted_skip(struct cw_str text, size_t at)
{
    for (at++; at < text.len && text.ptr[at] != '"'; at++)
        at += text.ptr[at] == '\\';
    return at + 1;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t number_at(struct cw_str text, size_t at, uint64_t *out)
{
    size_t end = at;
    while (end < text.len && is_digit(text.ptr[end]))
        end++;
    return cw_str_to_u64(cw_str_sub(text, at, end), out) ? end : at;
}

static bool stands_at(struct cw_str text, size_t at, struct cw_str what)
{
    return cw_str_starts(cw_str_sub(text, at, text.len), what);
}

#define GROUP CW_STR(" errors like: ")

/* "N errors like: ", where a group may begin. */
static uint64_t group_at(struct cw_str text, size_t at)
{
    uint64_t n;
    bool begins = at == 0 || (at >= 2 && text.ptr[at - 1] == ' ' && text.ptr[at - 2] == ';');
    size_t end = begins ? number_at(text, at, &n) : at;
    return end > at && stands_at(text, end, GROUP) ? n : 0;
}

/* "total ignored: N out of N" */
static uint64_t total_at(struct cw_str text, size_t at)
{
    const struct cw_str words = CW_STR("total ignored: "), out_of = CW_STR(" out of ");
    uint64_t n, total;
    if (!stands_at(text, at, words))
        return 0;
    size_t end = number_at(text, at += words.len, &n);
    if (end == at || !stands_at(text, end, out_of))
        return 0;
    at = end + out_of.len;
    return number_at(text, at, &total) > at && n == total ? n : 0;
}

bool cw_push_refusal_is_of_all(struct cw_str text, size_t nentries)
{
    uint64_t ngrouped = 0, ntotal = 0;
    for (size_t at = 0; at < text.len;) {
        if (text.ptr[at] == '"') {
            at = quoted_skip(text, at);
            continue;
        }
        uint64_t n = group_at(text, at);
        if (n > nentries)
            return false; /* it counts something else */
        ngrouped += n;
        ntotal = CW_MAX(ntotal, total_at(text, at));
        at++;
    }
    return ngrouped == nentries || ntotal == nentries;
}

/* The words of the first reason, without what is another for each entry: its time, its stream. */
static uint64_t reason_of(int status, struct cw_str text)
{
    uint64_t hash = (uint64_t)status, n;
    size_t at = group_at(text, 0) > 0 ? number_at(text, 0, &n) + GROUP.len : 0;
    while (at < text.len) {
        char c = text.ptr[at];
        if (c == '\n' || group_at(text, at) > 0)
            break;
        if (c == '"') {
            at = quoted_skip(text, at);
            continue;
        }
        if (is_letter(c))
            hash = hash * 31 + (unsigned char)c;
        at++;
    }
    return hash;
}

/* Whether a stream is named as in Loki's texts, which stores the others: any server may say "stream" or "upstream". */
static bool names_stream(struct cw_str text)
{
    static const struct cw_str forms[] = {CW_STR("stream '{"), CW_STR("for stream: {"),
                                          CW_STR("for stream {")};
    for (size_t at = 0; at < text.len;) {
        if (text.ptr[at] == '"') {
            at = quoted_skip(text, at);
            continue;
        }
        for (size_t i = 0; i < CW_COUNT(forms); i++)
            if (stands_at(text, at, forms[i]) && (at == 0 || !is_letter(text.ptr[at - 1])))
                return true;
        at++;
    }
    return false;
}

/* ---- what to do ---- */

void cw_push_refusals_init(struct cw_push_refusals *refusals)
{
    *refusals = (struct cw_push_refusals){.max_entries = CW_BATCH_ENTRIES_MAX};
}

static void run_end(struct cw_push_refusals *refusals)
{
    refusals->nsingles = refusals->together = refusals->together_before = 0;
}

/* All before is decided: the next batch may be larger. */
static void grow(struct cw_push_refusals *refusals)
{
    refusals->suspects = 0;
    refusals->max_entries = CW_MIN(refusals->max_entries * 2, (size_t)CW_BATCH_ENTRIES_MAX);
}

void cw_push_refusals_taken(struct cw_push_refusals *refusals, size_t nentries)
{
    refusals->ntaken += nentries;
    refusals->together = 0;
    if (refusals->ntaken >= refusals->gap)
        run_end(refusals);
    if (refusals->suspects > nentries) {
        refusals->suspects -= nentries; /* the refused one is behind these */
        refusals->max_entries = (refusals->suspects + 1) / 2;
    } else {
        grow(refusals);
    }
}

/* One entry by itself, or all of a line. */
static void single_refused(struct cw_push_refusals *refusals, const struct cw_push_refused *batch,
                           uint64_t reason)
{
    if (refusals->reason != reason)
        run_end(refusals);
    refusals->reason = reason;
    refusals->source = batch->source;
    refusals->ntaken = refusals->suspects = 0;
    refusals->gap = names_stream(batch->text) ? CW_PUSH_RUN : 1;
    refusals->nsingles++;
    /* Grows with each push that is decided. Of two, a count tells whether both are at fault. */
    refusals->max_entries = refusals->counts ? 2 : 1;
    if (!batch->plain || refusals->nsingles < CW_PUSH_RUN)
        return;
    size_t twice = CW_MAX(2 * refusals->together_before, (size_t)CW_PUSH_RUN);
    refusals->together = CW_MIN(twice, (size_t)CW_BATCH_ENTRIES_MAX);
    refusals->max_entries = refusals->together;
}

static bool in_run(const struct cw_push_refusals *refusals, const struct cw_push_refused *batch,
                   uint64_t reason)
{
    return refusals->together > 0 && reason == refusals->reason &&
           memcmp(refusals->source.bytes, batch->source.bytes, sizeof batch->source.bytes) == 0;
}

enum cw_push_verdict cw_push_refusals_refused(struct cw_push_refusals *refusals,
                                              const struct cw_push_refused *batch)
{
    enum { TOO_LARGE = 413 }; /* of the whole, no entry's fault */
    uint64_t reason = reason_of(batch->status, batch->text);
    if (batch->nentries == 1 || refusals->max_entries == 1) {
        single_refused(refusals, batch, reason);
        return CW_PUSH_GIVE_UP;
    }
    bool all = cw_push_refusal_is_of_all(batch->text, batch->nentries);
    refusals->counts |= all || group_at(batch->text, 0) > 0;
    if (all) {
        grow(refusals);
        return CW_PUSH_GIVE_UP;
    }
    if (batch->status != TOO_LARGE && in_run(refusals, batch, reason)) {
        if (batch->nfirst < batch->nentries) { /* the others have done nothing yet */
            refusals->max_entries = batch->nfirst;
            return CW_PUSH_SPLIT;
        }
        refusals->together_before = refusals->together;
        refusals->together = refusals->suspects = 0;
        refusals->max_entries = 1;
        return CW_PUSH_GIVE_UP;
    }
    refusals->together = 0;
    refusals->suspects = batch->nentries;
    /* A line of several entries has more than were asked for: down to 1, which gives it up. */
    refusals->max_entries = CW_MIN(refusals->max_entries, batch->nentries) / 2;
    return CW_PUSH_SPLIT;
}
