#include "common/store/section_kinds.h"

const struct cw_section_kind_def cw_section_kinds[] = {
    {CW_SECTION_STREAMS, "streams", "which rows are of which stream"},
    {CW_SECTION_TIMES, "times", "the time of each row"},
    {CW_SECTION_META, "metadata", "structured metadata"},
    {CW_SECTION_META_VALUES, "metadata-values", "the values of a name of structured metadata"},
    {CW_SECTION_LENGTHS, "lengths", "the length of each line"},
    {CW_SECTION_TEXT, "text", "lines, or the text of templates and dictionaries"},
    {CW_SECTION_TEMPLATES, "templates", "rows of each template"},
    {CW_SECTION_ROWS, "rows", "the template of each row"},
    {CW_SECTION_SMALL, "small", "columns that are too small for a section of their own"},
    {CW_SECTION_COLUMN, "column", "the values of slots that are alike"},
    {CW_SECTION_RAW, "raw", "lines that no template fits"},
    {0, NULL, NULL},
};

const struct cw_section_kind_def *cw_section_kind_find(uint8_t kind)
{
    for (const struct cw_section_kind_def *def = cw_section_kinds; def->name != NULL; def++)
        if (def->kind == (kind & ~CW_SECTION_OPTIONAL))
            return def;
    return NULL;
}

const char *cw_section_kind_name(uint8_t kind)
{
    const struct cw_section_kind_def *def = cw_section_kind_find(kind);
    return def != NULL ? def->name : "unknown";
}

const char *cw_part_region_name(enum cw_part_region region)
{
    static const char *const names[CW_REGIONS] = {"filters", "blocks", "streams", "postings",
                                                  "origin"};
    return names[region];
}

bool cw_section_entry_next(struct cw_str block, uint32_t i, struct cw_section_entry *entry)
{
    uint32_t dir_bytes = cw_get32(block.ptr + 48);
    const char *front = block.ptr + CW_BLOCK_HEADER_BYTES;
    if (i >= dir_bytes / CW_BLOCK_SECTION_BYTES)
        return false;
    const char *at = front + (size_t)i * CW_BLOCK_SECTION_BYTES;
    const char *bytes = i == 0 ? front + dir_bytes : entry->stored.ptr + entry->stored.len;
    *entry = (struct cw_section_entry){.kind = (uint8_t)at[0],
                                       .codec = (uint8_t)at[1],
                                       .count = cw_get16(at + 2),
                                       .raw_bytes = cw_get32(at + 4),
                                       .checksum = cw_get32(at + 12),
                                       .stored = cw_str_make(bytes, cw_get32(at + 8))};
    return true;
}
