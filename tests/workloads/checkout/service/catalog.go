package service

import "strconv"

type product struct {
	sku, name, category string
	cents               int64
	taxPermille         int64
	tags                []string
}

// catalog is read-only once made, so requests share it without a lock.
type catalog struct {
	bySKU      map[string]*product
	byCategory map[string][]*product
}

const catalogSize = 2000

var categories = []string{"books", "garden", "kitchen", "music", "office", "sport", "tools", "toys"}

func newCatalog() *catalog {
	c := &catalog{bySKU: make(map[string]*product, catalogSize), byCategory: make(map[string][]*product)}
	for i := range catalogSize {
		category := categories[i%len(categories)]
		p := &product{
			sku:         skuOf(i),
			name:        category + " article " + strconv.Itoa(i),
			category:    category,
			cents:       199 + int64(i*7919%20000),
			taxPermille: []int64{190, 70}[i%2],
			tags:        []string{category, "line-" + strconv.Itoa(i%40), "supplier-" + strconv.Itoa(i%90)},
		}
		c.bySKU[p.sku] = p
		c.byCategory[category] = append(c.byCategory[category], p)
	}
	return c
}

func skuOf(i int) string { return "sku-" + strconv.Itoa(100000+i) }
