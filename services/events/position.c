#include "services/events/position.h"

static bool marks_agree(int32_t a, int32_t b)
{
    return a == b || a == 0 || b == 0;
}

event_position position_of(const EventRow *row)
{
    return (event_position){row->seq, row->mark};
}

event_position position_of_end(const EventCursorRow *cursor)
{
    return (event_position){cursor->last_seq, cursor->last_mark};
}

event_position position_before(const EventRow *row)
{
    return (event_position){row->seq - 1, row->after_mark};
}

bool position_leads_to(event_position position, const EventRow *row)
{
    return row->seq == position.seq + 1 &&
           marks_agree(row->after_mark, position.mark);
}

bool position_is_in(event_position position, const EventCursorRow *cursor)
{
    if (position.seq == cursor->last_seq)
        return marks_agree(position.mark, cursor->last_mark);
    return position.seq >= cursor->trimmed_seq &&
           position.seq < cursor->last_seq;
}
