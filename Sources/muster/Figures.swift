// Figures as the demo and the measurements print them.

func secondsPassed(since start: ContinuousClock.Instant) -> Double { (ContinuousClock.now - start) / .seconds(1) }

/// Rounded to one digit.
func tenths(_ value: Double) -> Double { (value * 10).rounded() / 10 }
