/* Comes before cuda/card_group.c in the copy for test_group.c, which defines the variable. */
#pragma once

extern _Thread_local int
    group_patience; /* seconds that this thread waits for the other members of its group */
