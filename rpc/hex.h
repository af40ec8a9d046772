#ifndef PRBAL_RPC_HEX_H
#define PRBAL_RPC_HEX_H

/* What a hexadecimal digit stands for; -1 for anything else. */
static inline int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

#endif
