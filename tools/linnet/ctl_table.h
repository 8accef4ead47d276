/* Rows of an answer as tables for people: rows of one kind that follow each other are a table,
 * a kind of which there is one row only is a list of its fields. */
#ifndef LINNET_TOOLS_CTL_TABLE_H
#define LINNET_TOOLS_CTL_TABLE_H

#include <jansson.h>
#include <stdbool.h>

struct ctl_table {
        json_t *rows;           /* of one kind, which are gathered: columns are as wide as needed */
        bool    any;            /* something has been printed */
};

/* Takes a row; prints what it ends. */
void ctl_table_add(struct ctl_table *table, json_t *row);
void ctl_table_end(struct ctl_table *table);

#endif
