import JSON
import Model
import TestSupport
import Testing

@testable import Identity

@Suite struct IdentifierTableTests {
    @Test("Finds what was put in and not taken out, like a dictionary")
    func dictionary() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed of the table comparison: \(seed)")
        var random = SeededRandom(seed: seed)
        var table = IdentifierTable()
        var reference: [String: UInt32] = [:]
        for step in 0..<20_000 {
            let type = UInt16.random(in: 0..<3, using: &random)
            let number = Int.random(in: 0..<4_000, using: &random)
            // Short and long, equal in their first bytes.
            let value = number % 2 == 0 ? "\(number)" : "a-rather-long-common-beginning-\(number)"
            let key = "\(type) \(value)"
            #expect(table.find(type, value) == reference[key] ?? IdentifierTable.none, "seed \(seed)")
            if let entry = reference[key] {
                #expect(table.value(of: entry) == value)
                if Int.random(in: 0..<3, using: &random) == 0 {
                    table.remove(entry)
                    reference[key] = nil
                }
            } else {
                reference[key] = table.insert(type, value, owner: UInt32(step), createdAt: 0)
            }
        }
        #expect(reference.count > 1000)
    }

    @Test("What the common case costs")
    func cost() throws {
        let resolver = IdentityResolver()
        let body = #"{"type":"track","context":{"library":{"name":"x"}},"properties":{"revenue":12.5}}"#
        let root = try JSONDocument(parsing: body).root
        let calls = (0..<20_000).map {
            Call(
                kind: .track, sourceID: "s", messageID: "m\($0)", userID: "user-\($0 % 5000)",
                anonymousID: "7f5c1a52-0b0e-4c38-9d0e-\($0 % 5000)", timestamp: .epoch, receivedAt: .epoch, body: [])
        }
        let elapsed = ContinuousClock().measure {
            for (offset, call) in calls.enumerated() { _ = resolver.resolve(call, body: root, offset: Int64(offset)) }
        }
        // For the reader of the log; a debug build is many times slower than a release.
        print("resolved \(calls.count) calls with two ids each in \(elapsed)")
        #expect(resolver.profileCount == 5000)
    }
}
