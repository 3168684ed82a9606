package memory

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTable makes the same changes to a table and a map, in transactions of which some are dropped. Snapshots must not change.
func TestTable(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	committed, want := index[int, int](), map[int]int{}
	check := func(what string, table table[int, int], want map[int]int) {
		t.Helper()
		if got := maps.Collect(table.all()); !maps.Equal(got, want) {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
		keys := make([]int, 0, len(want))
		for key := range table.between(3, 15) {
			keys = append(keys, key)
		}
		if !slices.IsSorted(keys) || slices.ContainsFunc(keys, func(key int) bool { return key < 3 || key >= 15 }) {
			t.Fatalf("%s: between 3 and 15: %v", what, keys)
		}
	}
	for tx := range int64(2000) {
		snapshot, before := committed, maps.Clone(want)
		own, expected := committed, maps.Clone(want)
		for range random.IntN(5) {
			key := random.IntN(20)
			if random.IntN(3) > 0 {
				own.put(tx+1, key, int(tx))
				expected[key] = int(tx)
			} else {
				own.remove(tx+1, key)
				delete(expected, key)
			}
			if value, found := own.get(key); found != own.has(key) || value != expected[key] {
				t.Fatalf("get %d: %d, %v, want %d", key, value, found, expected[key])
			}
		}
		check("own", own, expected)
		if random.IntN(3) > 0 {
			committed, want = own, expected
		}
		check("snapshot", snapshot, before)
		check("committed", committed, want)
	}
}

// TestTableLoop removes rows in a loop over them.
func TestTableLoop(t *testing.T) {
	rows := index[int, string]()
	for key := range 10 {
		rows.put(1, key, "x")
	}
	var met []int
	for key := range rows.all() {
		met = append(met, key)
		rows.remove(1, key)
	}
	if len(met) != 10 || len(rows.rows) != 0 {
		t.Fatalf("the loop saw %v, and %v are left", met, rows.rows)
	}
}
