package main

import (
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

func TestSessionsKeepTheLiveHeapConstant(t *testing.T) {
	s := newSessions(newCatalog())
	s.fill(4 << 20)
	n := s.count()
	for i := range 3 * n {
		s.put(s.made(i))
	}
	if s.count() != n {
		t.Errorf("%d sessions after churn, want %d", s.count(), n)
	}
}
