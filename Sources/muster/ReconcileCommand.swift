import ArgumentParser
import Foundation
import JSON
import NIOHTTP1

struct ReconcileCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile",
        abstract: "Compare what a destination holds with what a running server knows, and repair it.",
        discussion: "Ends with 0 where they agree or were repaired, with 1 where they differ, with 2 where it failed.")

    @Option(help: "Address of the running server. Its password is read from MUSTER_ADMIN_PASSWORD.")
    var url = "http://127.0.0.1:7700"

    @Option(help: "Name or id of the destination; may be left out where there is one.")
    var destination: String?

    @Flag(help: "Compare everybody instead of a sample.")
    var full = false

    @Option(help: "How many people a sample has.")
    var sample = 500

    @Flag(help: "Compare also people who never held a value.")
    var everybody = false

    @Flag(help: "Set what differs to what Muster knows.")
    var repair = false

    func run() async throws {
        try await ServerClient.run(url, compare)
    }

    private func compare(_ client: ServerClient) async throws {
        let path = "/destinations/\(try await find(client))/reconcile"
        let body: JSONValue = [
            "mode": full ? "full" : "sample", "sampleSize": .number(sample), "people": everybody ? "all" : "members",
            "repair": .bool(repair),
        ]
        var run = try await client.call(.POST, path, body)["reconciliation"]
        let progress = ProgressLine(what: "compared", unit: "people")
        while run?["status"] == "RUNNING" {
            progress.show(done: Int64(run?["done"]?.integer ?? 0), total: Int64(run?["total"]?.integer ?? 0))
            try await Task.sleep(for: .milliseconds(500))
            run = try await client.call(.GET, path)["reconciliation"]
        }
        progress.end()
        try tell(run ?? .null)
    }

    /// The id of the destination that is meant.
    private func find(_ client: ServerClient) async throws -> String {
        let all = try await client.call(.GET, "/destinations?count=200")["destinations"]?.array ?? []
        let found = all.filter { one in
            guard let destination else { return true }
            return one["id"]?.string == destination || one["name"]?.string == destination
        }
        guard found.count == 1, let id = found[0]["id"]?.string else {
            let names = all.compactMap { $0["name"]?.string }.joined(separator: ", ")
            throw ServerClient.Refusal(
                message: "Name one destination with --destination: \(names.isEmpty ? "there is none" : names)")
        }
        return id
    }

    private func tell(_ run: JSONValue) throws {
        func count(_ name: String) -> Int { run[name]?.integer ?? 0 }
        if let reason = run["failureReason"]?.string {
            print("The comparison ended early: \(reason)")
            throw ExitCode(2)
        }
        print(
            "\(count("compared")) people in \(count("requests")) requests: \(count("agreeing")) values agree, "
                + "\(count("missing")) missing, \(count("differing")) differing, \(count("extra")) extra")
        let left = [
            ("inMotion", "that just change"), ("notFindable", "of people without a user id"),
            ("ambiguous", "of people in several accounts"),
        ].filter { count($0.0) > 0 }.map { "\(count($0.0)) \($0.1)" }
        if !left.isEmpty { print("Values not compared: \(left.joined(separator: ", "))") }
        for drift in run["drifts"]?.array ?? [] {
            let words = ["kind", "person", "attribute"].compactMap { drift[$0]?.string }.joined(separator: " ")
            print("  \(words): here \(Self.words(drift["expected"])), there \(Self.words(drift["held"]))")
        }
        let drifted = count("missing") + count("differing") + count("extra")
        let listed = run["drifts"]?.array?.count ?? 0
        if drifted > listed { print("  … and \(drifted - listed) more") }
        if repair { print("\(count("repaired")) values are being repaired") }
        guard repair || drifted == 0 else {
            print("Set them to what Muster knows with --repair")
            throw ExitCode(1)
        }
    }
    private static func words(_ value: JSONValue?) -> String {
        guard let value, !value.isNull else { return "nothing" }
        return value.description
    }
}
