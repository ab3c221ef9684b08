/*
 * unit_order.h - units by time, put in order only as far as somebody asks: of a day's thousands of blocks, the last hundred lines need
 * the first few.
 *
 * Threads    None: cw_unit_order_get() moves entries, so those who share an order ask one at a time.
 */
#ifndef CW_ENGINE_UNIT_ORDER_H
#define CW_ENGINE_UNIT_ORDER_H
#include "common/store/cursor.h"

struct cw_unit_order;

/* Of all units there are: by max_ns down when newest first, else by min_ns up. Ties keep the order of the units (newest first: the
 * reverse), so that the same query reads the same way twice. */
struct cw_unit_order *cw_unit_order_new(const struct cw_units *units, bool newest_first);
void cw_unit_order_free(struct cw_unit_order **order);
/* Index of the unit at a position. */
size_t cw_unit_order_get(struct cw_unit_order *order, size_t position);

#endif
