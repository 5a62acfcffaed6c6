import { Component, type ReactNode } from 'react'
import { ErrorState } from '../parts/states.tsx'

interface BoundaryProps {
  readonly children: ReactNode
}

/** Keeps a page's fault to the page. React offers this as a class only. */
export class Boundary extends Component<BoundaryProps, { error: unknown }> {
  override state = { error: null as unknown }

  static getDerivedStateFromError(error: unknown) {
    return { error }
  }

  override render() {
    if (this.state.error === null) return this.props.children
    return <ErrorState title="This page has a fault" error={this.state.error} onRetry={() => location.reload()} />
  }
}
