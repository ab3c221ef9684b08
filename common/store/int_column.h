/* int_column.h - the numbers that encode_int.c and decode_int.c share; they stand in files: never renumber. */
#ifndef CW_STORE_INT_COLUMN_H
#define CW_STORE_INT_COLUMN_H

enum cw_int_encoding {
    CW_INT_CONST = 0,
    CW_INT_FOR = 1,
    CW_INT_MINI = 2,
    CW_INT_DELTA = 3,
    CW_INT_DICT = 4,
    CW_INT_BYTES = 5,
    CW_INT_DELTADICT = 6,
};
enum { CW_INT_MINIBLOCK = 128 };

#endif
