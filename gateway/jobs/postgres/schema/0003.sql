-- A timer is found by its execution, or by its time: each index serves one of the two. While there was the thing in both, a
-- plan that was made when no timer was set could read all of them for one.
DROP INDEX timers_due;
CREATE INDEX timers_due ON timers (due);
