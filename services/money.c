#include "services/money.h"

#include "rpc/call.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* ISO 4217, by exponent.  Codes of funds, metals and tests are left out:
 * nobody is paid in them. */
static const struct {
    int exponent;
    const char *codes;
} currencies[] = {
    {2, "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB "
        "BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP "
        "DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG "
        "HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL "
        "MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO "
        "NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG "
        "SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD "
        "TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG"},
    {0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"},
    {3, "BHD IQD JOD KWD LYD OMR TND"},
};

static const int64_t power_of_ten[] = {1, 10, 100, 1000};

int money_exponent(const char *currency)
{
    if (strlen(currency) != 3 || strchr(currency, ' ') != NULL)
        return -1;
    for (size_t i = 0; i < sizeof currencies / sizeof *currencies; i++)
        if (strstr(currencies[i].codes, currency) != NULL)
            return currencies[i].exponent;
    return -1;
}

int64_t money_from_units(int64_t units, const char *currency)
{
    int exponent = money_exponent(currency);
    int64_t minor;
    assert(exponent >= 0);
    bool overflows =
        __builtin_mul_overflow(units, power_of_ten[exponent], &minor);
    assert(!overflows);
    return minor;
}

char *money_format(struct arena *arena, const Money *money)
{
    int exponent = money_exponent(money->currency);
    const char *sign = money->amount_minor < 0 ? "-" : "";
    /* Unsigned, so that the least number has an absolute value too. */
    uint64_t minor = money->amount_minor < 0 ? -(uint64_t)money->amount_minor
                                             : (uint64_t)money->amount_minor;
    if (exponent <= 0)
        return arena_printf(arena, "%s%" PRIu64 " %s", sign, minor,
                            money->currency);
    uint64_t unit = (uint64_t)power_of_ten[exponent];
    return arena_printf(arena, "%s%" PRIu64 ".%0*" PRIu64 " %s", sign,
                        minor / unit, exponent, minor % unit, money->currency);
}

/* Appends one digit to *amount, whose sign is `sign`. */
static bool add_digit(int64_t *amount, int sign, int digit)
{
    return !__builtin_mul_overflow(*amount, 10, amount) &&
           !__builtin_add_overflow(*amount, sign * digit, amount);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool money_parse(const char *text, const char *currency, int64_t *amount_minor)
{
    int exponent = money_exponent(currency);
    int sign = text[0] == '-' ? -1 : 1;
    if (exponent < 0)
        return false;
    if (text[0] == '-')
        text++;
    if (!is_digit(text[0]))
        return false;

    int64_t amount = 0;
    for (; is_digit(*text); text++)
        if (!add_digit(&amount, sign, *text - '0'))
            return false;
    if (text[0] == '.' && !is_digit(text[1]))
        return false;
    if (text[0] == '.')
        text++;
    for (int i = 0; i < exponent; i++)
        if (!add_digit(&amount, sign, is_digit(*text) ? *text++ - '0' : 0))
            return false;
    *amount_minor = amount;
    return *text == '\0';
}

/* Wide enough for a product of two amounts. */
__extension__ typedef __int128 wide;

static size_t largest(const wide *remainders, size_t count)
{
    size_t at = 0;
    for (size_t i = 1; i < count; i++)
        if (remainders[i] > remainders[at])
            at = i;
    return at;
}

void money_split(int64_t total, const int64_t *weights, size_t count,
                 int64_t *parts)
{
    assert(total >= 0 && count > 0 && count <= MONEY_PARTS_MAX);
    wide sum = 0, remainders[MONEY_PARTS_MAX];
    int64_t left = total;
    for (size_t i = 0; i < count; i++) {
        assert(weights[i] >= 0);
        sum += weights[i];
    }
    assert(sum > 0);
    for (size_t i = 0; i < count; i++) {
        wide product = (wide)total * weights[i];
        parts[i] = (int64_t)(product / sum);
        remainders[i] = product % sum;
        left -= parts[i];
    }
    /* Fewer units are left than there are remainders above zero. */
    for (; left > 0; left--) {
        size_t at = largest(remainders, count);
        parts[at]++;
        remainders[at] = -1;
    }
}

rpc_status money_check(struct rpc_call *call, const char *field,
                       const Money *money)
{
    if (money_exponent(money->currency) >= 0)
        return RPC_SUCCESS;
    return rpc_fail_field(call, arena_printf(call->arena, "%s.currency", field),
                          "\"%s\" is no currency of ISO 4217 in use",
                          money->currency);
}
