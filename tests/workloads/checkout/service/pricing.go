package service

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

type cartLine struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

type cart struct {
	Customer string            `json:"customer"`
	Coupon   string            `json:"coupon,omitempty"`
	Lines    []cartLine        `json:"lines"`
	Context  map[string]string `json:"context,omitempty"`
}

type pricedLine struct {
	SKU      string   `json:"sku"`
	Name     string   `json:"name"`
	Quantity int64    `json:"quantity"`
	Cents    int64    `json:"cents"`
	Tax      int64    `json:"tax"`
	Discount int64    `json:"discount,omitempty"`
	Tags     []string `json:"tags"`
}

type suggestion struct {
	SKU   string `json:"sku"`
	Name  string `json:"name"`
	Cents int64  `json:"cents"`
	Score int64  `json:"score"`
}

type order struct {
	ID          string            `json:"id"`
	Customer    string            `json:"customer"`
	Lines       []*pricedLine     `json:"lines"`
	Totals      map[string]int64  `json:"totals"`
	Suggestions []suggestion      `json:"suggestions"`
	Receipt     string            `json:"receipt"`
	Context     map[string]string `json:"context,omitempty"`
}

const (
	maxLines        = 200
	maxQuantity     = 1000
	suggestionCount = 8
)

// price turns a cart into an order. All money is in cents.
func price(c *catalog, in *cart, id string) (*order, error) {
	if len(in.Lines) == 0 || len(in.Lines) > maxLines {
		return nil, fmt.Errorf("cart has %d lines: send 1 to %d", len(in.Lines), maxLines)
	}
	out := &order{ID: id, Customer: in.Customer, Context: in.Context, Totals: make(map[string]int64)}
	for _, line := range in.Lines {
		p := c.bySKU[line.SKU]
		if p == nil {
			return nil, fmt.Errorf("cart line %q: no such article", line.SKU)
		}
		if line.Quantity < 1 || line.Quantity > maxQuantity {
			return nil, fmt.Errorf("cart line %q: quantity %d is outside 1 to %d", line.SKU, line.Quantity, maxQuantity)
		}
		priced := &pricedLine{SKU: p.sku, Name: p.name, Quantity: line.Quantity, Cents: p.cents * line.Quantity, Tags: slices.Clone(p.tags)}
		priced.Discount = discount(in.Coupon, priced)
		priced.Tax = (priced.Cents - priced.Discount) * p.taxPermille / 1000
		out.Lines = append(out.Lines, priced)
		out.Totals["goods"] += priced.Cents
		out.Totals["discount"] += priced.Discount
		out.Totals["tax"] += priced.Tax
		out.Totals["category:"+p.category] += priced.Cents
	}
	out.Totals["payable"] = out.Totals["goods"] - out.Totals["discount"] + out.Totals["tax"]
	out.Suggestions = suggest(c, out.Lines)
	out.Receipt = receipt(out)
	return out, nil
}

// discount gives 10 % with any coupon, and 5 % more from the tenth piece of a line on.
func discount(coupon string, line *pricedLine) int64 {
	percent := int64(0)
	if coupon != "" {
		percent += 10
	}
	if line.Quantity >= 10 {
		percent += 5
	}
	return line.Cents * percent / 100
}

// suggest ranks articles that share tags with the cart, and leaves out what is in it.
func suggest(c *catalog, lines []*pricedLine) []suggestion {
	weight := make(map[string]int64)
	inCart := make(map[string]bool, len(lines))
	for _, line := range lines {
		inCart[line.SKU] = true
		for _, tag := range line.Tags {
			weight[tag] += line.Quantity
		}
	}
	var found []suggestion
	for _, category := range categories {
		if weight[category] == 0 {
			continue
		}
		for _, p := range c.byCategory[category][:40] {
			if inCart[p.sku] {
				continue
			}
			score := int64(0)
			for _, tag := range p.tags {
				score += weight[tag]
			}
			found = append(found, suggestion{SKU: p.sku, Name: p.name, Cents: p.cents, Score: score})
		}
	}
	slices.SortFunc(found, func(a, b suggestion) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.SKU, b.SKU))
	})
	return slices.Clone(found[:min(len(found), suggestionCount)])
}

func receipt(o *order) string {
	var text strings.Builder
	fmt.Fprintf(&text, "order %s for %s\n", o.ID, o.Customer)
	for _, line := range o.Lines {
		fmt.Fprintf(&text, "%4d x %-28s %10d.%02d\n", line.Quantity, line.Name, line.Cents/100, line.Cents%100)
	}
	fmt.Fprintf(&text, "to pay %d.%02d\n", o.Totals["payable"]/100, o.Totals["payable"]%100)
	return text.String()
}
