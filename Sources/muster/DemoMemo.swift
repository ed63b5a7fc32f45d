import DemoShop
import Foundation
import JSON
import Model

/// What the demo remembers between starts, in `demo.json`: the plans of the shops it loaded. With the same plan a shop has
/// the same message ids, so a load that was interrupted can be repeated, and one that is complete need not be.
struct DemoMemo: Sendable {
    private struct Entry {
        var plan: ShopPlan
        var isLoaded: Bool
    }

    private var entries: [Entry] = []

    static func read(_ directory: String) throws -> DemoMemo {
        var memo = DemoMemo()
        guard let data = try? Data(contentsOf: file(directory)) else { return memo }
        for entry in try JSONValue(parsing: data)["shops"]?.array ?? [] {
            guard let seed = entry["seed"]?.string.flatMap({ UInt64($0) }), let now = entry["now"]?.integer,
                let customers = entry["customers"]?.integer, let passersby = entry["passersby"]?.integer,
                let days = entry["days"]?.integer
            else { continue }
            let plan = ShopPlan(
                now: Instant(milliseconds: Int64(now)), seed: seed, customers: customers, passersby: passersby,
                days: days)
            memo.entries.append(Entry(plan: plan, isLoaded: entry["loaded"]?.bool ?? false))
        }
        return memo
    }

    /// The plan of the shop with this seed: the remembered one, or a new one that ends `now`.
    mutating func plan(seed: UInt64, customers: Int, now: Instant) -> ShopPlan {
        if let known = entries.first(where: { $0.plan.seed == seed }) { return known.plan }
        let plan = ShopPlan(now: now, seed: seed, customers: customers, passersby: customers * 5 / 11)
        entries.append(Entry(plan: plan, isLoaded: false))
        return plan
    }

    func isLoaded(_ plan: ShopPlan) -> Bool { entries.contains { $0.plan == plan && $0.isLoaded } }

    mutating func markLoaded(_ plan: ShopPlan) {
        for index in entries.indices where entries[index].plan == plan { entries[index].isLoaded = true }
    }

    func write(_ directory: String) throws {
        let shops = entries.map { entry -> JSONValue in
            [
                "seed": .string(String(entry.plan.seed)), "now": .number(Int(entry.plan.now.milliseconds)),
                "customers": .number(entry.plan.customers), "passersby": .number(entry.plan.passersby),
                "days": .number(entry.plan.days), "loaded": .bool(entry.isLoaded),
            ]
        }
        let value: JSONValue = ["shops": .array(shops)]
        try Data(value.utf8).write(to: Self.file(directory), options: .atomic)
    }

    private static func file(_ directory: String) -> URL {
        URL(fileURLWithPath: directory, isDirectory: true).appendingPathComponent("demo.json")
    }
}
