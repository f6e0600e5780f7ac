package dashboard

import (
	"slices"
	"strconv"
	"testing"
)

func newTestWatch() *watch { return newWatch(&Dashboard{}) }

func TestWatch_TellsWhatHasChangedSince(t *testing.T) {
	w := newTestWatch()
	told, end := make(chan struct{}, 1), func() {}
	defer end()
	w.listeners[told] = true
	w.compare(map[string]string{"alerts": "1", "events": "1"})
	if got, newest, known := w.since(0); got != nil || newest != 0 || !known {
		t.Errorf("since the beginning: %v, %d, %t; want nothing", got, newest, known)
	}
	w.compare(map[string]string{"alerts": "1", "events": "2"})
	w.compare(map[string]string{"alerts": "2", "events": "3"})
	w.compare(map[string]string{"alerts": "2", "events": "3"}) // nothing new
	if got, newest, known := w.since(0); !slices.Equal(got, []string{"alerts", "events"}) || newest != 2 || !known {
		t.Errorf("since the beginning: %v, %d, %t; want both topics once", got, newest, known)
	}
	if got, _, _ := w.since(1); !slices.Equal(got, []string{"alerts", "events"}) {
		t.Errorf("since the first: %v", got)
	}
	if got, _, known := w.since(2); got != nil || !known {
		t.Errorf("since the last: %v, %t; want nothing", got, known)
	}
	if _, _, known := w.since(3); known {
		t.Error("a number that was never given is known")
	}
	select {
	case <-told:
	default:
		t.Error("who listens was not told")
	}
}

func TestWatch_ATopicThatVanishesHasChanged(t *testing.T) {
	w := newTestWatch()
	w.compare(map[string]string{"alerts": "1", "events": "1"})
	w.compare(map[string]string{"events": "1"})
	if got, _, _ := w.since(0); !slices.Equal(got, []string{"alerts"}) {
		t.Errorf("changed: %v, want alerts", got)
	}
}

func TestWatch_WhatIsTooLongAgoIsNotKnown(t *testing.T) {
	w := newTestWatch()
	for i := range keptChanges + 11 {
		w.compare(map[string]string{"events": strconv.Itoa(i)})
	}
	if _, _, known := w.since(9); known {
		t.Error("a change that is not kept any more counts as known")
	}
	if _, newest, known := w.since(10); !known || newest != keptChanges+10 {
		t.Errorf("the oldest that is kept: %t, %d", known, newest)
	}
}

func TestWatch_IDsOfOthersAreNotOurs(t *testing.T) {
	w := newTestWatch()
	if n, ours := w.number(w.id(7)); n != 7 || !ours {
		t.Errorf("number(id(7)) = %d, %t", n, ours)
	}
	for _, id := range []string{newTestWatch().id(7), "", "7", "-7", w.epoch + "-", w.epoch + "-x", w.epoch + "--1"} {
		if _, ours := w.number(id); ours {
			t.Errorf("the id %q counts as ours", id)
		}
	}
}
