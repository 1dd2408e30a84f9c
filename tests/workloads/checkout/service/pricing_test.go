package service

import (
	"runtime"
	"strconv"
	"strings"
	"testing"
)

func TestPriceAddsDiscountAndTax(t *testing.T) {
	c := newCatalog()
	p := c.bySKU[skuOf(0)]
	o, err := price(c, &cart{Customer: "c", Coupon: "spring", Lines: []cartLine{{p.sku, 10}}}, "1")
	if err != nil {
		t.Fatal(err)
	}
	goods := p.cents * 10
	discount := goods * 15 / 100
	tax := (goods - discount) * p.taxPermille / 1000
	if got, want := o.Totals["payable"], goods-discount+tax; got != want {
		t.Errorf("payable is %d, want %d", got, want)
	}
	if len(o.Suggestions) != suggestionCount {
		t.Errorf("%d suggestions, want %d", len(o.Suggestions), suggestionCount)
	}
	for _, s := range o.Suggestions {
		if s.SKU == p.sku {
			t.Errorf("suggests %s, which is in the cart", s.SKU)
		}
	}
}

func TestPriceRefusesWhatItCannotSell(t *testing.T) {
	c := newCatalog()
	for text, in := range map[string]cart{
		"0 lines":         {},
		"no such article": {Lines: []cartLine{{"sku-none", 1}}},
		"quantity 0":      {Lines: []cartLine{{skuOf(1), 0}}},
	} {
		if _, err := price(c, &in, "1"); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("price(%v) says %v, want %q", in, err, text)
		}
	}
}

func TestSizeReadsGoUnits(t *testing.T) {
	for text, want := range map[string]size{"64MiB": 64 << 20, "1GiB": 1 << 30, "512KiB": 512 << 10, "17": 17} {
		var s size
		if err := s.Set(text); err != nil || s != want || s.String() != text {
			t.Errorf("Set(%q) gives %d (%s), %v", text, int64(s), s, err)
		}
	}
	for _, text := range []string{"", "64Mi", "-1", "65GiB", "9223372036854775807GiB"} {
		var s size
		if err := s.Set(text); err == nil {
			t.Errorf("Set(%q) gives %d, want an error", text, int64(s))
		}
	}
}

func TestSessionsKeepTheLiveHeapAsFilled(t *testing.T) {
	const target = 16 << 20
	c := newCatalog()
	before := liveHeap()
	s := newSessions(c)
	s.fill(target)
	filled, n := liveHeap()-before, s.count()
	if filled < target*9/10 || filled > target*11/10 {
		t.Errorf("live heap is %d bytes after fill, want %d within 10 %%", filled, target)
	}
	for i := range 3 * n {
		o := &order{ID: strconv.FormatInt(int64(i), 36), Customer: "customer-" + strconv.Itoa(i), Totals: map[string]int64{"payable": 1}}
		s.put(s.ofOrder(o, i))
	}
	if s.count() != n {
		t.Errorf("%d sessions after churn, want %d", s.count(), n)
	}
	if churned := liveHeap() - before; churned < filled*9/10 || churned > filled*11/10 {
		t.Errorf("live heap is %d bytes after churn, want %d within 10 %%", churned, filled)
	}
	runtime.KeepAlive(s)
}
