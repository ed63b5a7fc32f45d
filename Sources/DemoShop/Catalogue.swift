/// One article of the shop.
struct Product: Sendable, Hashable {
    let sku: String
    let name: String
    /// Index into `Catalogue.categories`.
    let category: Int
    let brand: String
    /// Price in cents.
    let price: Int
    /// How often it is looked at, relative to the others of its category.
    let popularity: Int
}

/// What the shop sells: 60 products in eight categories. Few of them get most of the attention, as in real shops.
struct Catalogue: Sendable {
    static let categories = [
        "Knitwear", "Outerwear", "Shirts", "Trousers", "Shoes", "Accessories", "Home", "Kids",
    ]
    /// How many people have the category as their favourite, in per mille.
    static let categoryPopularity = [200, 130, 160, 130, 150, 110, 80, 40]

    static let products: [Product] = categories.indices.flatMap { category in
        articles[category].enumerated().map { place, article in
            Product(
                sku: "\(categories[category].prefix(3).uppercased())-\(100 + 7 * place)", name: article.name,
                category: category, brand: brands[(category + 3 * place) % brands.count],
                price: article.price * 100 - 5, popularity: max(1, 24 / (place + 1)))
        }
    }

    /// The products of each category, as indices into `products`.
    static let productsByCategory: [[Int]] = categories.indices.map { category in
        products.indices.filter { products[$0].category == category }
    }

    private static let brands = ["Nordhem", "Fjell & Co", "Atelier Nine", "Harbour", "Plainweave"]

    // Prices in whole currency units; 5 cents come off.
    private static let articles: [[(name: String, price: Int)]] = [
        [
            ("Sweater", 60), ("Cardigan", 75), ("Turtleneck", 65), ("Sweater Vest", 45), ("Knit Dress", 90),
            ("Merino Pullover", 110), ("Cotton Hoodie", 55), ("Cashmere Crewneck", 190),
        ],
        [
            ("Rain Jacket", 120), ("Parka", 220), ("Denim Jacket", 95), ("Wool Coat", 280), ("Windbreaker", 80),
            ("Quilted Vest", 70), ("Trench Coat", 240), ("Fleece Jacket", 75),
        ],
        [
            ("Oxford Shirt", 55), ("Linen Shirt", 60), ("T-Shirt", 20), ("Polo Shirt", 40), ("Flannel Shirt", 50),
            ("Silk Blouse", 120), ("Henley", 35), ("Tank Top", 18),
        ],
        [
            ("Slim Jeans", 80), ("Chinos", 65), ("Corduroys", 75), ("Joggers", 50), ("Linen Trousers", 70),
            ("Cargo Shorts", 45), ("Wool Trousers", 130),
        ],
        [
            ("Running Shoes", 110), ("White Sneakers", 85), ("Chelsea Boots", 160), ("Loafers", 125), ("Sandals", 45),
            ("Hiking Boots", 180), ("Slippers", 30), ("Rain Boots", 60),
        ],
        [
            ("Beanie", 22), ("Scarf", 35), ("Leather Belt", 40), ("Tote Bag", 28), ("Wool Socks", 14),
            ("Sunglasses", 90), ("Gloves", 32), ("Backpack", 95),
        ],
        [
            ("Wool Blanket", 85), ("Scented Candle", 25), ("Linen Bedding", 150), ("Mug", 12), ("Cushion", 30),
            ("Bath Towel", 26), ("Table Lamp", 70),
        ],
        [
            ("Kids' Raincoat", 45), ("Kids' Pyjamas", 25), ("Kids' Sneakers", 40), ("Baby Romper", 22),
            ("Kids' T-Shirt", 14), ("Kids' Backpack", 35),
        ],
    ]
}
