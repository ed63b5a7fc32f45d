/// Where the edges of the program get the time from. The engine never holds one (design §1.4): the edges stamp
/// records with it, tests put a hand-moved one in its place.
public protocol InstantSource: Sendable {
    func now() -> Instant
}
