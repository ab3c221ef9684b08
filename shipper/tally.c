#include "shipper/tally.h"
#include <stdlib.h>
#include "common/base/arena.h"

struct cw_tally *cw_tally_new(void)
{
    return cw_mem_new(sizeof(struct cw_tally));
}

size_t cw_tally_nreasons(const struct cw_tally_reasons *reasons)
{
    size_t n = 0;
    while (reasons->items != NULL && reasons->items[n].why != NULL)
        n++;
    return n;
}

static void reasons_free(struct cw_tally_reasons *reasons)
{
    size_t n = cw_tally_nreasons(reasons);
    for (size_t i = 0; i < n; i++)
        free(reasons->items[i].why);
    free(reasons->items);
}

void cw_tally_free(struct cw_tally **tally)
{
    struct cw_tally *t = *tally;
    if (t == NULL)
        return;
    reasons_free(&t->dropped);
    for (size_t i = 0; i < t->ngaps; i++)
        free(t->gaps[i].why);
    free(t->gaps);
    for (size_t i = 0; i < t->noutputs; i++) {
        free(t->outputs[i].client);
        reasons_free(&t->outputs[i].left_out);
        reasons_free(&t->outputs[i].refused);
    }
    free(t->outputs);
    cw_tally_places_clear(t);
    free(t);
    *tally = NULL;
}

void cw_tally_count(struct cw_tally_reasons *reasons, struct cw_str why, uint64_t n)
{
    size_t nreasons = cw_tally_nreasons(reasons);
    if (n == 0)
        return;
    for (int pass = 0; pass < 2; pass++, why = CW_STR("other")) {
        for (size_t i = 0; i < nreasons; i++) {
            if (!cw_str_eqz(why, reasons->items[i].why))
                continue;
            reasons->items[i].n += n;
            return;
        }
        if (nreasons < (size_t)CW_TALLY_REASONS - 1 || pass == 1)
            break;
    }
    reasons->items = cw_mem_resize(reasons->items, (nreasons + 2) * sizeof *reasons->items);
    reasons->items[nreasons] = (struct cw_tally_reason){cw_str_dupz(why), n};
    reasons->items[nreasons + 1] = (struct cw_tally_reason){NULL, 0};
}

uint64_t cw_tally_total(const struct cw_tally_reasons *reasons)
{
    uint64_t total = 0;
    size_t n = cw_tally_nreasons(reasons);
    for (size_t i = 0; i < n; i++)
        total += reasons->items[i].n;
    return total;
}

struct cw_tally_output *cw_tally_output(struct cw_tally *tally, struct cw_str client)
{
    for (size_t i = 0; i < tally->noutputs; i++)
        if (cw_str_eqz(client, tally->outputs[i].client))
            return &tally->outputs[i];
    tally->outputs = cw_mem_resize(tally->outputs, (tally->noutputs + 1) * sizeof *tally->outputs);
    struct cw_tally_output *output = &tally->outputs[tally->noutputs++];
    *output = (struct cw_tally_output){.client = cw_str_dupz(client)};
    return output;
}

static void gap_put(struct cw_tally *tally, const struct cw_tally_gap *gap)
{
    if (tally->gaps == NULL)
        tally->gaps = cw_mem_array(CW_TALLY_GAPS, sizeof *tally->gaps);
    if (tally->ngaps == CW_TALLY_GAPS) {
        free(tally->gaps[0].why);
        memmove(tally->gaps, tally->gaps + 1, --tally->ngaps * sizeof tally->gaps[0]);
    }
    tally->gaps[tally->ngaps++] = *gap;
}

void cw_tally_gap_add(struct cw_tally *tally, uint64_t generation, uint64_t from, uint64_t to,
                      struct cw_str why)
{
    if (to <= from)
        return;
    tally->gap_bytes += to - from;
    gap_put(tally, &(struct cw_tally_gap){generation, from, to, cw_str_dupz(why)});
}

void cw_tally_generation_set(struct cw_tally *tally, uint64_t generation)
{
    tally->generation = generation;
    tally->counted_to = tally->emitted_to = tally->text_size = 0;
    cw_tally_places_clear(tally);
    for (size_t i = 0; i < tally->noutputs; i++)
        tally->outputs[i].adopted_to = 0;
}

void cw_tally_place_add(struct cw_tally *tally, struct cw_str client, struct cw_str tenant,
                        uint64_t sent_to, uint64_t told_to)
{
    tally->places = cw_mem_resize(tally->places, (tally->nplaces + 1) * sizeof *tally->places);
    tally->places[tally->nplaces++] =
        (struct cw_tally_place){cw_str_dupz(client), cw_str_dupz(tenant), sent_to, told_to};
}

void cw_tally_places_clear(struct cw_tally *tally)
{
    for (size_t i = 0; i < tally->nplaces; i++) {
        free(tally->places[i].client);
        free(tally->places[i].tenant);
    }
    free(tally->places);
    tally->places = NULL;
    tally->nplaces = 0;
}

static void reasons_join(struct cw_tally_reasons *reasons, const struct cw_tally_reasons *other)
{
    size_t n = cw_tally_nreasons(other);
    for (size_t i = 0; i < n; i++)
        cw_tally_count(reasons, cw_str_of(other->items[i].why), other->items[i].n);
}

void cw_tally_join(struct cw_tally *tally, const struct cw_tally *other)
{
    tally->read += other->read;
    tally->read_bytes += other->read_bytes;
    tally->joined += other->joined;
    tally->made += other->made;
    tally->redacted += other->redacted;
    tally->spooled += other->spooled;
    tally->gap_bytes += other->gap_bytes;
    reasons_join(&tally->dropped, &other->dropped);
    for (size_t i = 0; i < other->ngaps; i++) {
        struct cw_tally_gap gap = other->gaps[i];
        gap.why = cw_str_dupz(cw_str_of(gap.why));
        gap_put(tally, &gap);
    }
    for (size_t i = 0; i < other->noutputs; i++) {
        const struct cw_tally_output *from = &other->outputs[i];
        struct cw_tally_output *to = cw_tally_output(tally, cw_str_of(from->client));
        to->sent += from->sent;
        to->retried += from->retried;
        to->acknowledged += from->acknowledged;
        to->adopted += from->adopted;
        reasons_join(&to->left_out, &from->left_out);
        reasons_join(&to->refused, &from->refused);
    }
}
